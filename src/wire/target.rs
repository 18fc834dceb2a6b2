//! Request target: [`Query`] and [`Address`].
//!
//! **Invariant:** a target is split and percent-decoded once, here. Other code uses the result.

use percent_encoding::percent_decode_str;

use super::error::{Error, ErrorCode, Result};
use crate::types::{BucketName, KEY_BYTES_MAX, KeyError, ObjectKey, decimal};

/// Parameters of a query, decoded once, in the order received.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Splits and decodes a query. `+` stays a plus, as in signatures.
    ///
    /// # Errors
    /// InvalidURI for a `%` without two hexadecimal digits and for text that is not UTF-8.
    pub fn parse(raw: &str) -> Result<Self> {
        let mut pairs = Vec::new();
        for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((decode(name)?, decode(value)?));
        }
        Ok(Self(pairs))
    }
    /// Value of a parameter. Empty for `?name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
    /// True if the parameter is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }
    /// Value of a parameter, if it is not empty. An empty `prefix=` counts as absent.
    pub fn non_empty(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }
    /// All parameters.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }
    /// First name that was given more than once.
    pub fn repeated(&self) -> Option<&str> {
        let mut seen = std::collections::HashSet::new();
        self.0.iter().find(|(name, _)| !seen.insert(name)).map(|(name, _)| name.as_str())
    }
}

fn decode(text: &str) -> Result<String> {
    check_escapes(text)?;
    percent_decode_str(text)
        .decode_utf8()
        .map(|decoded| decoded.into_owned())
        .map_err(|_| Error::because(ErrorCode::InvalidURI, "The query is not UTF-8."))
}

/// Refuses a `%` without two hexadecimal digits. Taken literally, two request targets would name
/// the same key.
fn check_escapes(text: &str) -> Result<()> {
    let mut escapes = text.split('%').skip(1).map(str::as_bytes);
    match escapes
        .all(|rest| matches!(rest, [a, b, ..] if [a, b].iter().all(|c| c.is_ascii_hexdigit())))
    {
        true => Ok(()),
        false => Err(ErrorCode::InvalidURI.into()),
    }
}

/// Resource that a request addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// Service: the path `/`.
    Service,
    /// Bucket.
    Bucket(BucketName),
    /// Object, existing or not.
    Object(BucketName, ObjectKey),
}

impl Address {
    /// Bucket of the address.
    pub fn bucket(&self) -> Option<&BucketName> {
        match self {
            Self::Service => None,
            Self::Bucket(bucket) | Self::Object(bucket, _) => Some(bucket),
        }
    }
    /// Key of the address.
    pub fn key(&self) -> Option<&ObjectKey> {
        match self {
            Self::Object(_, key) => Some(key),
            Self::Service | Self::Bucket(_) => None,
        }
    }

    /// Address from Host and path. `domains` are the configured base domains. A Host
    /// `<bucket>.<domain>` names the bucket; the longest domain wins. With any other Host (an IP
    /// address, a domain itself, an unknown name) the first segment of the path names the bucket.
    ///
    /// # Errors
    /// InvalidURI, InvalidBucketName, KeyTooLongError.
    pub fn parse(raw_path: &str, host: &str, domains: &[String]) -> Result<Self> {
        let (bucket, key) = split(raw_path, host, domains)?;
        if bucket.is_empty() {
            // `//key` has an empty bucket name. `/` is the service.
            return match key {
                None | Some("") => Ok(Self::Service),
                Some(_) => Err(ErrorCode::InvalidBucketName.into()),
            };
        }
        let bucket = BucketName::parse(&bucket)
            .ok_or_else(|| Error::new(ErrorCode::InvalidBucketName).field("BucketName", bucket))?;
        match key {
            None | Some("") => Ok(Self::Bucket(bucket)),
            Some(raw) => {
                check_escapes(raw)?;
                let bytes: Vec<u8> = percent_decode_str(raw).collect();
                let key = ObjectKey::parse(&bytes).map_err(|error| match error {
                    KeyError::TooLong => Error::new(ErrorCode::KeyTooLongError)
                        .field("Size", bytes.len().to_string())
                        .field("MaxSizeAllowed", KEY_BYTES_MAX.to_string()),
                    KeyError::Invalid => {
                        Error::because(ErrorCode::InvalidURI, "The key is not UTF-8.")
                    }
                })?;
                Ok(Self::Object(bucket, key))
            }
        }
    }
}

/// Decoded name of the bucket, and the encoded key.
fn split<'a>(
    raw_path: &'a str,
    host: &str,
    domains: &[String],
) -> Result<(String, Option<&'a str>)> {
    let path = raw_path
        .strip_prefix('/')
        .ok_or_else(|| Error::because(ErrorCode::InvalidURI, "The request target has no path."))?;
    match bucket_of_host(host, domains) {
        // Host is case-insensitive. Bucket names are in lower case.
        Some(bucket) => Ok((bucket.to_ascii_lowercase(), Some(path))),
        None => match path.split_once('/') {
            Some((bucket, key)) => Ok((decode(bucket)?, Some(key))),
            None => Ok((decode(path)?, None)),
        },
    }
}

/// Bucket of a request target, also if its key is invalid.
pub fn bucket_of(raw_path: &str, host: &str, domains: &[String]) -> Option<BucketName> {
    BucketName::parse(&split(raw_path, host, domains).ok()?.0)
}

/// Bucket in a Host of the virtual-host style. The port is ignored.
pub fn bucket_of_host<'a>(host: &'a str, domains: &[String]) -> Option<&'a str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if decimal::is_digits(port) => name,
        _ => host,
    };
    domains
        .iter()
        .filter_map(|domain| {
            let (label, tail) = name.split_at_checked(name.len().checked_sub(domain.len())?)?;
            // The Host is a domain itself, which may also be `<bucket>.<domain>` of a shorter one.
            let bucket = if label.is_empty() { label } else { label.strip_suffix('.')? };
            tail.eq_ignore_ascii_case(domain).then_some(bucket)
        })
        .min_by_key(|bucket| bucket.len())
        .filter(|bucket| !bucket.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn domains() -> Vec<String> {
        ["example.com", "s3.example.com", "S3.Local"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_query_is_decoded_once() {
        let query =
            Query::parse("uploads&a=1&b=x%2By%252F+z&empty=&=v&&a=2&p=x/=y&%C3%A9").unwrap();
        for (name, value) in [
            ("uploads", Some("")),
            ("a", Some("1")),
            ("b", Some("x+y%2F+z")),
            ("empty", Some("")),
            ("", Some("v")),
            ("p", Some("x/=y")),
            ("é", Some("")),
            ("A", None),
        ] {
            assert_eq!(query.get(name), value, "{name}");
            assert_eq!(query.has(name), value.is_some());
            assert_eq!(query.non_empty(name), value.filter(|v| !v.is_empty()));
        }
        assert_eq!(query.pairs().len(), 8);
        assert_eq!(query.repeated(), Some("a"));
        assert_eq!(Query::parse("a&b&A").unwrap().repeated(), None);
        assert!(Query::parse("").unwrap().pairs().is_empty());
        for bad in ["%ff", "a=%C3", "a=%ED%A0%80", "%", "a=%4", "%zz=a", "a=%+4"] {
            assert_eq!(Query::parse(bad).unwrap_err().code, ErrorCode::InvalidURI, "{bad}");
        }
    }

    #[test]
    fn the_longest_domain_names_the_bucket() {
        for (host, bucket) in [
            ("bkt.example.com", Some("bkt")),
            ("bkt.example.com:9000", Some("bkt")),
            ("a.b.example.com", Some("a.b")),
            ("bkt.s3.example.com", Some("bkt")),
            ("bkt.EXAMPLE.com", Some("bkt")),
            ("bkt.s3.local", Some("bkt")),
            ("s3.example.com", None),
            ("s3.example.com:443", None),
            ("example.com", None),
            (".example.com", None),
            ("bktexample.com", None),
            ("example.org", None),
            ("127.0.0.1:9000", None),
            ("[::1]:9000", None),
            ("[::1]", None),
            ("bkt.example.com:x", None),
            ("é.example.com", Some("é")),
            ("éxample.com", None),
            ("", None),
        ] {
            assert_eq!(bucket_of_host(host, &domains()), bucket, "{host}");
        }
    }

    #[test]
    fn addresses_in_both_styles() {
        for (host, path, bucket, key) in [
            ("h", "/", None, None),
            ("h", "/bkt", Some("bkt"), None),
            ("h", "/bkt/", Some("bkt"), None),
            ("h", "/bkt/k", Some("bkt"), Some("k")),
            ("h", "/bkt//", Some("bkt"), Some("/")),
            ("h", "/bkt/a//b/../c/", Some("bkt"), Some("a//b/../c/")),
            ("h", "/bkt/a%2Fb%252F+c%20d", Some("bkt"), Some("a/b%2F+c d")),
            ("h", "/bkt/e%CC%81", Some("bkt"), Some("e\u{301}")),
            ("h", "/%62kt/k", Some("bkt"), Some("k")),
            ("h", "/bkt/%00", Some("bkt"), Some("\0")),
            ("h", "/bkt/100%25", Some("bkt"), Some("100%")),
            ("bkt.example.com", "/", Some("bkt"), None),
            ("BKT.Example.com", "/bkt/k", Some("bkt"), Some("bkt/k")),
            ("bkt.example.com", "//k", Some("bkt"), Some("/k")),
        ] {
            let address = Address::parse(path, host, &domains()).unwrap();
            assert_eq!(address.bucket().map(BucketName::as_str), bucket, "{host}{path}");
            assert_eq!(address.key().map(ObjectKey::as_str), key, "{host}{path}");
        }
        let long = format!("/bkt/{}", "%41".repeat(1025));
        for (host, path, code) in [
            ("h", "", ErrorCode::InvalidURI),
            ("h", "*", ErrorCode::InvalidURI),
            ("h", "//k", ErrorCode::InvalidBucketName),
            ("h", "/BKT/k", ErrorCode::InvalidBucketName),
            ("h", "/bkt%2Fk", ErrorCode::InvalidBucketName),
            ("h", "/%ff/k", ErrorCode::InvalidURI),
            ("h", "/bkt/%ff", ErrorCode::InvalidURI),
            ("h", "/bkt/100%", ErrorCode::InvalidURI),
            ("h", "/bkt/%4", ErrorCode::InvalidURI),
            ("h", "/bkt/a%zzb", ErrorCode::InvalidURI),
            ("h", "/bkt/%é9", ErrorCode::InvalidURI),
            ("h", "/bk%/k", ErrorCode::InvalidURI),
            ("h", &long, ErrorCode::KeyTooLongError),
            ("b_t.example.com", "/k", ErrorCode::InvalidBucketName),
        ] {
            let error = Address::parse(path, host, &domains()).unwrap_err();
            assert_eq!(error.code, code, "{host}{path}");
        }
    }

    proptest! {
        #[test]
        fn any_target_is_read_without_panic(
            path in "/?[a-z0-9%/.é]{0,30}",
            query in "[a-z=&%2+é]{0,30}",
            host in "[a-z0-9.:é]{0,10}(.example.com)?(:[0-9a]{0,3})?",
        ) {
            let _ = (Query::parse(&query), Address::parse(&path, &host, &domains()));
        }
    }
}
