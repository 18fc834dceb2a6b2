//! AWS Signature Version 2 in presigned URLs and forms, which boto3 and aws-cli v1 still make.
//!
//! **Invariant:** it signs the method, the path as sent, the `x-amz-*` headers and a fixed list of
//! sub-resources, and nothing else of the query. So the gateway lets such a request select only
//! operations whose words are all in [`SUB_RESOURCES`], and this file refuses every word of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::canonical::{demand_no_vendor_headers, header_value};
use super::payload::{Mode, UNSIGNED};
use super::sigv4::{mismatch, unknown_key};
use super::{Authenticated, Keys, Mechanism, Rules, date, refuse_token};
use crate::access::{Credential, Principal};
use crate::types::Timestamp;
use crate::wire::{Error, ErrorCode, Head, Result};

/// The query parameters that SigV2 signs, sorted. A word that is not here is not covered by the
/// signature, so it must select nothing.
pub const SUB_RESOURCES: &[&str] = &[
    "acl",
    "cors",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "restore",
    "tagging",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
];

const DUMMY_SECRET: &str = "0000000000000000000000000000000000000000";

/// A request with `AWSAccessKeyId`, `Signature` and `Expires` in its query.
pub(super) fn presigned(
    head: &Head,
    keys: Keys<'_>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Authenticated> {
    if !rules.sigv2_presigned {
        return Err(super::please_use_v4());
    }
    let parameter = |name: &str| {
        head.query.non_empty(name).ok_or_else(|| {
            Error::because(
                ErrorCode::AccessDenied,
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId \
                 parameters",
            )
        })
    };
    let access_key_id = parameter("AWSAccessKeyId")?;
    let signature = parameter("Signature")?;
    let expires = parameter("Expires")?;
    check_life(expires, now)?;
    demand_no_vendor_headers(head)?;
    demand_no_vendor_words(head)?;
    refuse_line_ends(head)?;
    let string_to_sign = string_to_sign(head, expires)?;
    let credential = verify(&string_to_sign, access_key_id, signature, keys)?;
    refuse_token(head)?;
    let payload = head.header_or_query("x-amz-content-sha256")?.unwrap_or(UNSIGNED);
    Ok(Authenticated {
        principal: Principal::Key(credential),
        mechanism: Mechanism::PresignedV2,
        payload: Mode::parse(payload)?.unsigned(head)?,
    })
}

/// Who signed the policy of a form; its text, as it stands in the field, is the string to sign. It
/// is strict base64, without line ends, so it is never the text of a presigned URL.
pub(super) fn policy(
    access_key_id: &str,
    signature: &str,
    policy: &str,
    keys: Keys<'_>,
    rules: &Rules,
) -> Result<Arc<Credential>> {
    if !rules.sigv2_presigned {
        return Err(super::please_use_v4());
    }
    verify(policy.as_bytes(), access_key_id, signature, keys)
}

/// `Expires` is a time, not a duration.
fn check_life(expires: &str, now: Timestamp) -> Result<()> {
    let digits = expires.bytes().all(|c| c.is_ascii_digit());
    let end: u64 = digits.then(|| expires.parse().ok()).flatten().ok_or_else(|| {
        let message = format!("Invalid date (should be seconds since epoch): {expires}");
        Error::because(ErrorCode::AccessDenied, message)
    })?;
    if now.seconds() > end {
        return Err(Error::because(ErrorCode::AccessDenied, "Request has expired")
            .field("Expires", date::extended(end))
            .field("ServerTime", date::extended(now.seconds())));
    }
    Ok(())
}

/// Checks the life of a presigned URL again.
pub(super) fn recheck_life(head: &Head, now: Timestamp) -> Result<()> {
    check_life(head.query.non_empty("Expires").unwrap_or_default(), now)
}

fn demand_no_vendor_words(head: &Head) -> Result<()> {
    let ours = |name: &str| {
        let name = name.to_ascii_lowercase();
        name.starts_with("partita-") || name.starts_with("x-partita-")
    };
    match head.query.pairs().iter().find(|(name, _)| ours(name)) {
        None => Ok(()),
        Some((name, _)) => Err(Error::because(
            ErrorCode::AccessDenied,
            format!("Signature version 2 does not cover the query parameter {name}."),
        )),
    }
}

/// What is signed is lines of text, and parameters stand in it decoded. With a line end in one (the
/// name of a file that somebody else chose, in a URL that was made for him) the same text would
/// also be that of another request: of another key, with another end.
fn refuse_line_ends(head: &Head) -> Result<()> {
    let control = |text: &str| text.contains(char::is_control);
    match head.query.pairs().iter().find(|(name, value)| control(name) || control(value)) {
        None => Ok(()),
        Some((name, value)) => {
            let message = "Signature version 2 does not take control characters in a parameter.";
            Err(Error::argument(name, value, message))
        }
    }
}

/// `METHOD\nContent-MD5\nContent-Type\nExpires\n`, the `x-amz-*` headers, and the resource.
fn string_to_sign(head: &Head, expires: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(256);
    let md5 = header_or_query(head, "content-md5");
    let content_type = header_or_query(head, "content-type");
    for line in [head.method.as_str().as_bytes(), &md5, &content_type, expires.as_bytes()] {
        out.extend_from_slice(line);
        out.push(b'\n');
    }
    for (name, value) in amz_headers(head)? {
        out.extend_from_slice(name.as_bytes());
        out.push(b':');
        out.extend_from_slice(&value);
        out.push(b'\n');
    }
    out.extend_from_slice(resource(head).as_bytes());
    Ok(out)
}

/// A header that clients move into the query of presigned URLs.
fn header_or_query(head: &Head, name: &str) -> Vec<u8> {
    if head.has_header(name) {
        return header_value(head, name);
    }
    let hoisted = head.query.pairs().iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    hoisted.map(|(_, value)| value.as_bytes().to_vec()).unwrap_or_default()
}

/// Every `x-amz-*` header and every one moved into the query, by lower-case name. A name in both
/// places is refused: only one of the two could be signed.
fn amz_headers(head: &Head) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut headers = BTreeMap::new();
    for name in head.headers.keys().filter(|name| name.as_str().starts_with("x-amz-")) {
        headers.insert(name.as_str().to_owned(), header_value(head, name.as_str()));
    }
    for (name, value) in head.query.pairs() {
        let lower = name.to_ascii_lowercase();
        if !lower.starts_with("x-amz-") {
            continue;
        }
        if headers.insert(lower, value.trim().as_bytes().to_vec()).is_some() {
            return Err(Error::argument(name, value, "This parameter stands there twice."));
        }
    }
    Ok(headers)
}

/// `/bucket/key` as sent, then the sub-resources, sorted, with decoded values.
fn resource(head: &Head) -> String {
    let mut resource = String::new();
    if let (true, Some(bucket)) = (head.virtual_host, head.address.bucket()) {
        resource.push('/');
        resource.push_str(bucket.as_str());
    }
    resource.push_str(&head.raw_path);
    let mut words: Vec<&(String, String)> = head
        .query
        .pairs()
        .iter()
        .filter(|(name, _)| SUB_RESOURCES.contains(&name.as_str()))
        .collect();
    words.sort_unstable();
    for (index, (name, value)) in words.into_iter().enumerate() {
        resource.push(if index == 0 { '?' } else { '&' });
        resource.push_str(name);
        if !value.is_empty() {
            resource.push('=');
            resource.push_str(value);
        }
    }
    resource
}

fn verify(
    string_to_sign: &[u8],
    access_key_id: &str,
    signature: &str,
    keys: Keys<'_>,
) -> Result<Arc<Credential>> {
    let credential = keys(access_key_id).filter(|credential| credential.enabled);
    let secret = credential.as_ref().map_or(DUMMY_SECRET, |known| &known.secret_access_key);
    let mut mac =
        Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(string_to_sign);
    let expected: [u8; 20] = mac.finalize().into_bytes().into();
    let provided = BASE64.decode(signature).unwrap_or_default();
    let matches: bool = provided.ct_eq(&expected[..]).into();
    match (credential, matches) {
        (Some(credential), true) => Ok(credential),
        (None, _) => Err(unknown_key(access_key_id)),
        (Some(_), false) => {
            Err(mismatch(access_key_id, &String::from_utf8_lossy(string_to_sign), signature))
        }
    }
}
