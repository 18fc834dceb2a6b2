//! Canonical request of SigV4: the text that a client signed, built again from its request.
//!
//! Source: AWS, "Create a signed AWS API request".
//!
//! **Invariants**
//! - Path and query are decoded once, by [`Head`], and encoded once, here. Nothing is normalized.
//! - Only the headers in `SignedHeaders` are part of the canonical request.
//! - A request with a header that changes its meaning and is not signed is refused.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::wire::{Error, ErrorCode, Head, Result};

/// Characters that SigV4 encodes in a query: all but the unreserved ones of RFC 3986.
const QUERY_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Characters that SigV4 encodes in a path: those of a query, except the slash.
pub(super) const PATH_SET: &AsciiSet = &QUERY_SET.remove(b'/');

/// Prefixes of headers that change the meaning of a request. Such a header must be signed.
const SIGNED_PREFIXES: [&str; 2] = ["x-amz-", "x-partita-"];

/// Headers with such a prefix that may be unsigned, each with the reason.
const MAY_STAY_UNSIGNED: [&str; 1] = [
    // The Authorization header covers its value: it is the last line of the canonical request. With
    // presigned URLs clients send it unsigned. If the URL signs UNSIGNED-PAYLOAD, the header can
    // only add a check of the body.
    "x-amz-content-sha256",
];

/// Names of `SignedHeaders`: lower case, sorted, unique.
#[derive(Debug)]
pub(super) struct SignedHeaders(Vec<HeaderName>);

impl SignedHeaders {
    /// Names from a list such as `host;x-amz-date`. `None` if a name is empty, has an upper-case
    /// letter or was given more than once.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut names = Vec::new();
        for name in text.split(';') {
            if name.bytes().any(|c| c.is_ascii_uppercase()) {
                return None;
            }
            names.push(HeaderName::from_bytes(name.as_bytes()).ok()?);
        }
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let repeated = names.windows(2).any(|pair| pair[0] == pair[1]);
        (!repeated).then_some(Self(names))
    }

    /// True if the signature covers the header.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|signed| signed.as_str() == name)
    }

    /// Refuses a request with a header that changes its meaning and is not signed.
    ///
    /// # Errors
    /// AccessDenied, naming the headers.
    pub(super) fn require_all(&self, head: &Head) -> Result<()> {
        let mut missing: Vec<&str> = head
            .headers
            .keys()
            .map(HeaderName::as_str)
            .filter(|name| must_be_signed(name) && !self.contains(name))
            .collect();
        if !self.contains("host") {
            missing.push("host");
        }
        not_signed(missing)
    }

    fn joined(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(HeaderName::as_str).collect();
        names.join(";")
    }
}

/// Refuses `x-partita-*` headers in a request that is presigned with SigV2, which covers only
/// `x-amz-*`.
///
/// # Errors
/// AccessDenied, naming the headers.
pub(super) fn refuse_vendor_headers(head: &Head) -> Result<()> {
    let names = head.headers.keys().map(HeaderName::as_str);
    not_signed(names.filter(|name| name.starts_with("x-partita-")).collect())
}

fn must_be_signed(name: &str) -> bool {
    SIGNED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !MAY_STAY_UNSIGNED.contains(&name)
}

fn not_signed(mut missing: Vec<&str>) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    missing.sort_unstable();
    Err(Error::because(
        ErrorCode::AccessDenied,
        "There were headers present in the request which were not signed",
    )
    .field("HeadersNotSigned", missing.join(", ")))
}

/// Canonical request. `payload` is its last line. `omit` is a query parameter to leave out:
/// `X-Amz-Signature` does not sign itself. Header values may be any bytes, so the result is bytes.
pub(super) fn canonical_request(
    head: &Head,
    signed: &SignedHeaders,
    payload: &str,
    omit: Option<&str>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    for line in [head.method.as_str(), &path(&head.raw_path), &query(head.query.pairs(), omit)] {
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
    for name in &signed.0 {
        out.extend_from_slice(name.as_str().as_bytes());
        out.push(b':');
        out.extend_from_slice(&header_value(head, name.as_str()));
        out.push(b'\n');
    }
    out.push(b'\n');
    out.extend_from_slice(signed.joined().as_bytes());
    out.push(b'\n');
    out.extend_from_slice(payload.as_bytes());
    out
}

/// Path, decoded and encoded again: clients differ in the characters that they encode.
fn path(raw_path: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(raw_path).collect();
    percent_encode(&bytes, PATH_SET).to_string()
}

/// Query, encoded and sorted by encoded name and value. `?uploads` becomes `uploads=`.
pub(super) fn query(pairs: &[(String, String)], omit: Option<&str>) -> String {
    let encode = |text: &str| percent_encode(text.as_bytes(), QUERY_SET).to_string();
    let mut encoded: Vec<(String, String)> = pairs
        .iter()
        .filter(|(name, _)| omit != Some(name.as_str()))
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    encoded.sort_unstable();
    let joined: Vec<String> =
        encoded.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    joined.join("&")
}

/// Value of a header in the form that both signature versions sign: trimmed, with single spaces,
/// several values joined by commas. Empty if the header is absent.
///
/// Clients sign UTF-8. Some send the same text in Latin-1, the historical encoding of HTTP headers,
/// so a value that is not UTF-8 is decoded as Latin-1.
pub(super) fn header_value(head: &Head, name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, value) in head.headers.get_all(name).iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match std::str::from_utf8(value.as_bytes()) {
            Ok(text) => fold_spaces(text.as_bytes(), &mut out),
            Err(_) => {
                let text: String = value.as_bytes().iter().copied().map(char::from).collect();
                fold_spaces(text.as_bytes(), &mut out);
            }
        }
    }
    out
}

fn fold_spaces(value: &[u8], out: &mut Vec<u8>) {
    let mut after_space = false;
    for &byte in value.trim_ascii() {
        if byte != b' ' || !after_space {
            out.push(byte);
        }
        after_space = byte == b' ';
    }
}

/// Hexadecimal digits with a space between two bytes, as in S3's `StringToSignBytes`.
pub(super) fn spaced_hex(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_decoded_and_encoded_once() {
        let table = [
            ("/", "/"),
            ("/b/a//b", "/b/a//b"),
            ("/b//lead", "/b//lead"),
            ("/b/a/../b/./x", "/b/a/../b/./x"),
            ("/b/tr/", "/b/tr/"),
            ("/b/a+b c", "/b/a%2Bb%20c"),
            ("/b/a%2bb", "/b/a%2Bb"),
            ("/b/~*'()!", "/b/~%2A%27%28%29%21"),
            ("/b/%252F", "/b/%252F"),
            ("/b/a%2Fb", "/b/a/b"),
            ("/b/%C3%A9", "/b/%C3%A9"),
            ("/b/\u{e9}", "/b/%C3%A9"),
            ("/b/e%CC%81", "/b/e%CC%81"),
            ("/b/%ff%00", "/b/%FF%00"),
            ("/b/100%", "/b/100%25"),
        ];
        for (raw, canonical) in table {
            assert_eq!(path(raw), canonical, "{raw}");
        }
    }

    #[test]
    fn queries_are_sorted_after_encoding() {
        let table = [
            ("", ""),
            ("uploads", "uploads="),
            ("uploads=", "uploads="),
            ("prefix=sync/&delimiter=/", "delimiter=%2F&prefix=sync%2F"),
            ("b=1&a=2&B=3", "B=3&a=2&b=1"),
            ("a=%7E+%20", "a=~%2B%20"),
            // `-` sorts before a letter, but `:` is encoded and so sorts before both.
            ("a-=1&aa=2&a%3A=3", "a%3A=3&a-=1&aa=2"),
            ("a=1&X-Amz-Signature=ff&b=2", "a=1&b=2"),
        ];
        for (raw, canonical) in table {
            let pairs = crate::wire::target::Query::parse(raw).unwrap();
            assert_eq!(query(pairs.pairs(), Some("X-Amz-Signature")), canonical, "{raw}");
        }
    }

    #[test]
    fn header_values_are_trimmed_folded_and_joined() {
        let mut headers = http::HeaderMap::new();
        headers.insert("host", "h".parse().unwrap());
        headers.append("x-amz-meta-a", "  one   two  ".parse().unwrap());
        headers.append("x-amz-meta-a", "three".parse().unwrap());
        headers.append("x-amz-meta-b", http::HeaderValue::from_bytes(b"\xff  \xfe").unwrap());
        let head = Head::new(http::Method::GET, "/", "", headers, &[], false).unwrap();
        assert_eq!(header_value(&head, "x-amz-meta-a"), b"one two,three");
        assert_eq!(header_value(&head, "x-amz-meta-b"), "\u{ff} \u{fe}".as_bytes());
        assert_eq!(header_value(&head, "expect"), b"");
    }

    #[test]
    fn signed_headers_are_lower_case_and_unique() {
        for bad in ["", "host;", ";host", "Host", "host;host", "host;a b", "host;a:b", "h\u{e9}"] {
            assert!(SignedHeaders::parse(bad).is_none(), "{bad}");
        }
        let signed = SignedHeaders::parse("x-amz-date;host").expect("both names are fine");
        assert_eq!(signed.joined(), "host;x-amz-date");
    }
}
