//! The canonical request of SigV4: what the client signed, built again from what arrived.
//!
//! **Invariants:** the path and the query are decoded once (by [`Head`]) and encoded once (here),
//! nothing is normalised; only the headers named in `SignedHeaders` stand in it; and every header
//! that could change what the request does is among them, else the request is refused.

use http::HeaderName;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};

use crate::wire::{Error, ErrorCode, Head, Result};

/// What SigV4 encodes in a query: all but the unreserved characters of RFC 3986.
const QUERY_SET: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What SigV4 encodes in a path: the same, but the slash stays.
pub(super) const PATH_SET: &AsciiSet = &QUERY_SET.remove(b'/');

/// The prefixes of headers that have a meaning to this gateway, so they must be signed.
const BOUND_PREFIXES: [&str; 2] = ["x-amz-", "x-partita-"];

/// The only headers with such a prefix that may stay unsigned, each with the reason.
const MAY_STAY_UNSIGNED: [&str; 1] = [
    // With an Authorization header its value is the last line of the canonical request anyway. On
    // presigned URLs clients add it without signing it; it can then only make the check of the
    // body stricter, for a URL that leaves the body open.
    "x-amz-content-sha256",
];

/// The names of a `SignedHeaders` list: lower case, sorted, each once.
#[derive(Debug)]
pub(super) struct SignedHeaders(Vec<HeaderName>);

impl SignedHeaders {
    /// From `host;x-amz-date`. `None` when a name is empty, not lower case, or named twice.
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

    /// Whether the header is covered by the signature.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|signed| signed.as_str() == name)
    }

    /// Refuses a request that bears a header with a meaning that its signer never saw.
    pub(super) fn demand_all(&self, head: &Head) -> Result<()> {
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

/// Refuses a presigned SigV2 request whose headers its string to sign does not hold: SigV2 covers
/// `x-amz-*`, but knows nothing of ours.
pub(super) fn demand_no_vendor_headers(head: &Head) -> Result<()> {
    let names = head.headers.keys().map(HeaderName::as_str);
    not_signed(names.filter(|name| name.starts_with("x-partita-")).collect())
}

fn must_be_signed(name: &str) -> bool {
    BOUND_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
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

/// The canonical request. `payload` is its last line; `omit` is the query parameter that cannot
/// sign itself (`X-Amz-Signature`). Header values may be any bytes, so the result is bytes.
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

/// The path, decoded and encoded once: clients leave different characters raw.
fn path(raw_path: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(raw_path).collect();
    percent_encode(&bytes, PATH_SET).to_string()
}

/// The query, encoded, sorted by encoded name and then value; `?uploads` becomes `uploads=`.
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

/// A header's value as both signatures have it: trimmed, runs of spaces folded into one, several
/// values joined by commas. Empty when the header is absent.
///
/// Clients sign UTF-8. Some then send the text in Latin-1, the old encoding of HTTP, so a value
/// that is not UTF-8 is read as such.
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

/// Bytes in the form of S3's `StringToSignBytes`: hexadecimal, with a space between two bytes.
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
            let pairs = crate::wire::request::Query::parse(raw).unwrap();
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
