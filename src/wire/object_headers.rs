//! Headers that are stored with an object, and headers of features that do not exist.

use crate::events::{CallbackVar, callback};
use crate::types::ObjectHeaders;
use crate::wire::acl;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Standard headers that are stored with an object.
pub const STORED: &[&str] = &[
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
];
/// Prefix of user metadata.
pub const USER_PREFIX: &str = "x-amz-meta-";
/// Content-Type of an object that was stored without one.
pub const DEFAULT_CONTENT_TYPE: &str = "binary/octet-stream";

/// Headers that a request stores with an object.
///
/// # Errors
/// MetadataTooLarge if the user metadata (names without their prefix, and values) exceeds
/// `metadata_bytes_max`; InvalidArgument for metadata in the query that is no valid header.
pub fn of_request(head: &Head, metadata_bytes_max: usize) -> Result<ObjectHeaders> {
    let mut stored = Vec::new();
    for name in STORED {
        let Some(value) = head.headers.get(*name) else { continue };
        let value = match *name {
            "content-encoding" => without_aws_chunked(value.as_bytes()),
            _ => value.as_bytes().to_vec(),
        };
        if !value.is_empty() {
            stored.push(((*name).to_owned(), value));
        }
    }
    if let Some(sent) = head.headers.get("content-type") {
        let mut parameters = head.query.pairs().iter();
        let signed = parameters.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        if let Some((name, signed)) = signed.filter(|(_, signed)| signed.as_bytes() != sent) {
            let message = "The query and the header differ about Content-Type.";
            return Err(Error::argument(name, signed, message));
        }
    } else {
        let hoisted = hoisted(head, |name| name == "content-type")?;
        stored.extend(hoisted.into_iter().filter(|(_, value)| !value.is_empty()));
    }
    let mut user_bytes = 0;
    for name in head.headers.keys().filter(|name| name.as_str().starts_with(USER_PREFIX)) {
        let values: Vec<&[u8]> = head.headers.get_all(name).iter().map(|v| v.as_bytes()).collect();
        let value = values.join(&b","[..]);
        user_bytes += name.as_str().len() - USER_PREFIX.len() + value.len();
        stored.push((name.as_str().to_owned(), value));
    }
    for (name, value) in hoisted(head, |name| name.starts_with(USER_PREFIX))? {
        user_bytes += name.len() - USER_PREFIX.len() + value.len();
        stored.push((name, value));
    }
    if user_bytes > metadata_bytes_max {
        return Err(Error::new(ErrorCode::MetadataTooLarge)
            .field("Size", user_bytes.to_string())
            .field("MaxSizeAllowed", metadata_bytes_max.to_string()));
    }
    Ok(ObjectHeaders(stored))
}

/// Stored headers in the query of a presigned URL. (Clients with SigV2 put the Content-Type there,
/// and SigV2 signs it.)
fn hoisted(head: &Head, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>> {
    let mut metadata = Vec::new();
    for (name, value) in head.query.pairs() {
        let lower = name.to_ascii_lowercase();
        if !wanted(&lower) || head.has_header(&lower) {
            continue;
        }
        let legal = http::HeaderName::from_bytes(lower.as_bytes()).is_ok()
            && http::HeaderValue::from_bytes(value.as_bytes()).is_ok();
        if !legal {
            return Err(Error::argument(name, value, "The metadata cannot stand in a header."));
        }
        metadata.push((lower, value.clone().into_bytes()));
    }
    Ok(metadata)
}

/// Content-Encoding without `aws-chunked`, which is the framing of the request and not of the
/// object.
fn without_aws_chunked(value: &[u8]) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(value) else { return value.to_vec() };
    let kept: Vec<&str> = text
        .split(',')
        .map(str::trim)
        .filter(|token| !token.is_empty() && !token.eq_ignore_ascii_case("aws-chunked"))
        .collect();
    if kept.len() == text.split(',').count() {
        return value.to_vec();
    }
    kept.join(",").into_bytes()
}

/// JSON that the events of the object or upload carry.
///
/// # Errors
/// InvalidArgument if it is not JSON in base64, or too long.
pub fn callback_var(head: &Head) -> Result<Option<CallbackVar>> {
    let Some(value) = head.header_or_query(callback::HEADER)? else { return Ok(None) };
    let var = CallbackVar::parse(value);
    var.map(Some).map_err(|message| Error::argument(callback::HEADER, value, message))
}

/// Headers of features that do not exist. A write with one is refused, so that no client believes
/// that it has the feature.
const NOT_IMPLEMENTED: &[&str] = &[
    "x-amz-copy-source-server-side-encryption-customer-algorithm",
    "x-amz-object-lock-legal-hold",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-server-side-encryption-customer-key",
    "x-amz-server-side-encryption-customer-key-md5",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
];
/// Accepted storage classes. All are stored in the same way.
const STORAGE_CLASSES: &[&str] = &["", "STANDARD", "REDUCED_REDUNDANCY"];

/// Refuses a write that asks for a feature that does not exist.
///
/// # Errors
/// NotImplemented, InvalidStorageClass, and those of [`acl::of_headers`].
pub fn refuse_unsupported(head: &Head) -> Result<()> {
    for name in NOT_IMPLEMENTED {
        if head.header_or_query(name)?.is_some_and(|value| !value.is_empty()) {
            let message = format!("The header {name} is not implemented.");
            return Err(Error::because(ErrorCode::NotImplemented, message).field("Header", *name));
        }
    }
    acl::of_headers(head)?;
    let class = head.header_or_query("x-amz-storage-class")?.unwrap_or_default();
    if !STORAGE_CLASSES.contains(&class) {
        return Err(
            Error::new(ErrorCode::InvalidStorageClass).field("StorageClassRequested", class)
        );
    }
    Ok(())
}
