//! AWS Signature Version 2 in presigned URLs and forms. boto3 and aws-cli version 1 make such URLs.
//!
//! Source: AWS, "Signing and authenticating REST requests (AWS signature version 2)".
//!
//! **Invariant:** the signature covers the method, the path as sent, the `x-amz-*` headers and the
//! parameters in [`SUB_RESOURCES`], but no other part of the query. The gateway therefore lets such
//! a request select only operations whose words are all in that list. This file refuses all
//! parameters of Partita.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;

use super::authenticated::{Authenticated, Mechanism};
use super::canonical::{header_value, refuse_vendor_headers};
use super::date;
use super::errors::{self, mismatch, refuse_token, unknown_key};
use super::payload::{ContentSha256, UNSIGNED_PAYLOAD};
use super::settings::{DUMMY_SECRET, FindCredential, SignatureSettings};
use crate::access::{Credential, Principal};
use crate::types::{Timestamp, decimal};
use crate::wire::{Error, ErrorCode, Head, Result};

/// Query parameters that SigV2 signs, sorted. Any other parameter is not signed, so it must not
/// select an operation.
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

/// Checks a request with `AWSAccessKeyId`, `Signature` and `Expires` in its query.
pub(super) fn presigned(
    head: &Head,
    find: FindCredential<'_>,
    now: Timestamp,
    settings: &SignatureSettings,
) -> Result<Authenticated> {
    if !settings.sigv2_presigned {
        return Err(errors::signature_version_unsupported());
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
    refuse_vendor_headers(head)?;
    refuse_vendor_parameters(head)?;
    refuse_line_ends(head)?;
    refuse_separators(head)?;
    let string_to_sign = string_to_sign(head, expires)?;
    let credential = verify(&string_to_sign, access_key_id, signature, find)?;
    refuse_token(head)?;
    let payload = head.header_or_query("x-amz-content-sha256")?.unwrap_or(UNSIGNED_PAYLOAD);
    Ok(Authenticated {
        principal: Principal::Key(credential),
        mechanism: Mechanism::PresignedV2,
        payload: ContentSha256::parse(payload)?.unsigned(head)?,
    })
}

/// Credential that signed the policy of a form. The string to sign is the value of the field
/// `policy`: base64 without line ends, which is never the string to sign of a presigned URL.
pub(super) fn form_policy(
    access_key_id: &str,
    signature: &str,
    policy: &str,
    find: FindCredential<'_>,
    settings: &SignatureSettings,
) -> Result<Arc<Credential>> {
    if !settings.sigv2_presigned {
        return Err(errors::signature_version_unsupported());
    }
    verify(policy.as_bytes(), access_key_id, signature, find)
}

/// Checks that a presigned URL has not expired. `Expires` is a time in seconds since 1970.
fn check_life(expires: &str, now: Timestamp) -> Result<()> {
    let end: u64 = decimal::parse(expires).ok_or_else(|| {
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

/// Checks again that a presigned URL has not expired.
pub(super) fn recheck_life(head: &Head, now: Timestamp) -> Result<()> {
    check_life(head.query.non_empty("Expires").unwrap_or_default(), now)
}

fn refuse_vendor_parameters(head: &Head) -> Result<()> {
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

/// Refuses control characters in parameters. The string to sign has one item in each line, and
/// parameters are decoded in it. A line end in a parameter (such as a file name chosen by somebody
/// else) would give the same string to sign as a request with another key or expiration.
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

/// Refuses `&` in the value of a signed parameter. The string to sign joins decoded values with
/// `&`, so the value `x&uploadId=U` would give the string of a request with two parameters: one
/// signature would be that of two requests.
fn refuse_separators(head: &Head) -> Result<()> {
    let pairs = head.query.pairs().iter();
    let mut signed = pairs.filter(|(name, _)| SUB_RESOURCES.contains(&name.as_str()));
    match signed.find(|(_, value)| value.contains('&')) {
        None => Ok(()),
        Some((name, value)) => {
            let message =
                "Signature version 2 does not take & in a parameter. Sign with version 4.";
            Err(Error::argument(name, value, message))
        }
    }
}

/// String to sign: `METHOD\nContent-MD5\nContent-Type\nExpires\n`, the `x-amz-*` headers, and the
/// resource.
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

/// Value of a header, or of the query parameter that stands in for it in presigned URLs.
fn header_or_query(head: &Head, name: &str) -> Vec<u8> {
    if head.has_header(name) {
        return header_value(head, name);
    }
    let hoisted = head.query.pairs().iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
    hoisted.map(|(_, value)| value.as_bytes().to_vec()).unwrap_or_default()
}

/// All `x-amz-*` headers, also those in the query, by lower-case name. A name in both places is
/// refused, because only one of the two values could be signed.
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
            return Err(Error::argument(name, value, "The parameter was given more than once."));
        }
    }
    Ok(headers)
}

/// Resource: `/bucket/key` as sent, then the sub-resources, sorted, with decoded values.
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
    find: FindCredential<'_>,
) -> Result<Arc<Credential>> {
    let credential = find(access_key_id).filter(|credential| credential.enabled);
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
