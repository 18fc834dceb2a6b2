//! Checks of the text of settings. Each is true if the text is valid.

use crate::types::{BucketName, decimal};

/// Longest label of a domain name in bytes (RFC 1035, section 2.3.4).
const LABEL_BYTES_MAX: usize = 63;
/// Longest domain name in bytes, as text (RFC 1035, section 2.3.4).
const DOMAIN_BYTES_MAX: usize = 253;
/// Longest region in bytes.
const REGION_BYTES_MAX: usize = 63;

pub(super) fn domain(name: &str) -> Option<String> {
    let label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    (name.len() <= DOMAIN_BYTES_MAX && name.split('.').all(label))
        .then(|| name.to_ascii_lowercase())
}

/// Address `host:port`; an IPv6 address is in brackets.
pub(super) fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let port_ok = decimal::parse::<u16>(port).is_some();
    let host_ok = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => domain(host).is_some(),
    };
    host_ok && port_ok
}

/// URL of scheme and authority without a path, or an empty text.
pub(super) fn is_public_url(text: &str) -> bool {
    let authority = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text.is_empty()
        || authority.is_some_and(|host| is_address(host) || is_address(&format!("{host}:0")))
}

/// Bucket names separated by commas, `*`, or an empty text.
pub(super) fn is_bucket_list(text: &str) -> bool {
    matches!(text, "" | "*") || text.split(',').all(|name| BucketName::parse(name.trim()).is_some())
}

pub(super) fn is_region(text: &str) -> bool {
    let letter = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=REGION_BYTES_MAX).contains(&text.len()) && text.bytes().all(letter)
}
