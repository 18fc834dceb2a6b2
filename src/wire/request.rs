//! [`Head`]: the method, address, query and headers of a request.
//!
//! **Invariant:** routing, authorization and signatures use the fields of [`Head`]. Nothing parses
//! the request target again.

use http::{HeaderMap, Method};

use super::error::{Error, ErrorCode, Result};
use super::target::{Address, Query, bucket_of_host};
use crate::types::{BucketName, ObjectKey, decimal};

/// Request without its body.
#[derive(Clone, Debug)]
pub struct Head {
    /// Method.
    pub method: Method,
    /// Path as received, still encoded, as the client signed it.
    pub raw_path: String,
    /// Decoded query.
    pub query: Query,
    /// Headers as received.
    pub headers: HeaderMap,
    /// Value of Host.
    pub host: String,
    /// Address.
    pub address: Address,
    /// True if Host names the bucket.
    pub virtual_host: bool,
    /// True if the connection uses TLS.
    pub secure: bool,
}

impl Head {
    /// Head with an address. `raw_query` is the text after `?`.
    ///
    /// # Errors
    /// BadRequest unless there is exactly one Host; InvalidRequest for a repeated header that may
    /// be given once; those of [`Query::parse`] and [`Address::parse`].
    pub fn new(
        method: Method,
        raw_path: &str,
        raw_query: &str,
        headers: HeaderMap,
        domains: &[String],
        secure: bool,
    ) -> Result<Self> {
        let mut head = Self::unaddressed(method, raw_path, raw_query, headers, secure)?;
        head.address = Address::parse(raw_path, &head.host, domains)?;
        head.virtual_host = bucket_of_host(&head.host, domains).is_some();
        Ok(head)
    }

    /// Head of a request to the server itself, whose path names no bucket.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn unaddressed(
        method: Method,
        raw_path: &str,
        raw_query: &str,
        headers: HeaderMap,
        secure: bool,
    ) -> Result<Self> {
        let host = one_host(&headers)?.to_owned();
        refuse_repeated(&headers)?;
        let query = Query::parse(raw_query)?;
        let raw_path = raw_path.to_owned();
        let address = Address::Service;
        Ok(Self { method, raw_path, query, headers, host, address, virtual_host: false, secure })
    }

    /// Value of a header as text, trimmed. `None` if it is absent.
    ///
    /// # Errors
    /// InvalidRequest if it is not UTF-8.
    pub fn header(&self, name: &str) -> Result<Option<&str>> {
        match self.headers.get(name) {
            None => Ok(None),
            Some(value) => match std::str::from_utf8(value.as_bytes()) {
                Ok(text) => Ok(Some(text.trim())),
                Err(_) => Err(Error::because(
                    ErrorCode::InvalidRequest,
                    format!("The header {name} is not UTF-8."),
                )),
            },
        }
    }
    /// Value of a header or, if absent, of the query parameter of that name. S3 allows `x-amz-*`
    /// headers in the query of presigned URLs.
    ///
    /// # Errors
    /// InvalidRequest if the header is not UTF-8.
    pub fn header_or_query(&self, name: &str) -> Result<Option<&str>> {
        if let Some(value) = self.header(name)? {
            return Ok(Some(value));
        }
        let hoisted = self.query.pairs().iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
        Ok(hoisted.map(|(_, value)| value.as_str()))
    }
    /// True if the header is there.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }
    /// Value of `Content-Length`. hyper has refused malformed and repeated ones.
    ///
    /// # Errors
    /// InvalidArgument if it is no decimal number.
    pub fn content_length(&self) -> Result<Option<u64>> {
        let Some(text) = self.header("content-length")? else { return Ok(None) };
        decimal::parse(text).map(Some).ok_or_else(|| {
            Error::argument("Content-Length", text, "Content-Length must be a decimal number.")
        })
    }
    /// Decimal number in a header or, if absent, in the query parameter of that name. `None` if
    /// both are absent.
    ///
    /// # Errors
    /// InvalidArgument with `message` for anything but decimal digits that fit into 64 bits.
    pub fn decimal(&self, name: &str, message: &str) -> Result<Option<u64>> {
        let Some(text) = self.header_or_query(name)? else { return Ok(None) };
        decimal::parse(text).map(Some).ok_or_else(|| Error::argument(name, text, message))
    }
    /// Bucket of the address. The scope of the operation's row guarantees that there is one.
    pub fn bucket(&self) -> &BucketName {
        self.address.bucket().expect("routed by a row whose scope has a bucket")
    }
    /// Key of the address. The scope of the operation's row guarantees that there is one.
    pub fn key(&self) -> &ObjectKey {
        self.address.key().expect("routed by a row whose scope is an object")
    }
}

/// Refuses a repeated header, except user metadata and lists. A signature covers the values joined
/// by commas, but a reader of the header sees only the first one.
fn refuse_repeated(headers: &HeaderMap) -> Result<()> {
    let binding = |name: &str| {
        (name.starts_with("x-amz-") || name.starts_with("x-partita-"))
            && !name.starts_with("x-amz-meta-")
            && name != "x-amz-object-attributes"
            // Lists mean the same in one header and in several.
            && name != "x-partita-instant-prefix"
            && name != "x-partita-proof-prefix"
    };
    let repeated = headers
        .keys()
        .map(|name| name.as_str())
        .find(|name| binding(name) && headers.get_all(*name).iter().nth(1).is_some());
    match repeated {
        None => Ok(()),
        Some(name) => Err(Error::because(
            ErrorCode::InvalidRequest,
            format!("The header {name} was given more than once."),
        )),
    }
}

fn one_host(headers: &HeaderMap) -> Result<&str> {
    let mut hosts = headers.get_all("host").iter();
    let host = hosts.next().and_then(|host| host.to_str().ok()).filter(|host| !host.is_empty());
    match (host, hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Error::because(
            ErrorCode::BadRequest,
            "The request must have exactly one Host header.",
        )),
    }
}
#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Head of a path-style request to `localhost`.
    pub(crate) fn head(method: &str, path: &str, query: &str, headers: &[(&str, &str)]) -> Head {
        let mut map = HeaderMap::new();
        map.insert("host", "localhost".parse().unwrap());
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            map.append(name, http::HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        Head::new(method.parse().unwrap(), path, query, map, &[], false).unwrap()
    }

    #[test]
    fn headers_as_text() {
        let query = "X-Amz-Meta-A=q&x-amz-meta-b=q";
        let with = head("GET", "/bkt/k", query, &[("x-amz-meta-a", " h "), ("x-utf", "é")]);
        assert_eq!(with.header("x-amz-meta-a").unwrap(), Some("h"));
        assert_eq!(with.header("x-amz-meta-b").unwrap(), None);
        assert_eq!(with.header("x-utf").unwrap(), Some("é"));
        assert_eq!(with.header_or_query("x-amz-meta-a").unwrap(), Some("h"));
        assert_eq!(with.header_or_query("x-amz-meta-b").unwrap(), Some("q"));
        assert!(with.has_header("x-utf") && !with.has_header("x-amz-meta-b"));
        assert_eq!((with.bucket().as_str(), with.key().as_str()), ("bkt", "k"));
        let mut bad = with;
        bad.headers.insert("x-bad", http::HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(bad.header("x-bad").unwrap_err().code, ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_length_is_decimal_digits() {
        for (text, length) in [
            ("0", Some(0)),
            ("5368709120", Some(5 << 30)),
            ("18446744073709551615", Some(u64::MAX)),
        ] {
            let head = head("PUT", "/bkt/k", "", &[("content-length", text)]);
            assert_eq!(head.content_length().unwrap(), length);
        }
        assert_eq!(head("PUT", "/bkt/k", "", &[]).content_length().unwrap(), None);
        for bad in ["", "-1", "+1", "1.0", "0x1", "18446744073709551616"] {
            let head = head("PUT", "/bkt/k", "", &[("content-length", bad)]);
            assert_eq!(
                head.content_length().unwrap_err().code,
                ErrorCode::InvalidArgument,
                "{bad}"
            );
        }
    }

    #[test]
    fn there_is_exactly_one_host() {
        let read = |hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append("host", host.parse().unwrap());
            }
            Head::new(Method::GET, "/bkt/k", "", headers, &["example.com".to_owned()], true)
        };
        let head = read(&["bkt.example.com:9000"]).unwrap();
        assert_eq!((head.host.as_str(), head.virtual_host), ("bkt.example.com:9000", true));
        assert!(!read(&["localhost"]).unwrap().virtual_host);
        for hosts in [&[][..], &[""], &["a", "a"]] {
            assert_eq!(read(hosts).unwrap_err().code, ErrorCode::BadRequest, "{hosts:?}");
        }
    }
}
