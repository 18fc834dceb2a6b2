//! [`authenticate`]: the mechanism of a signature and its check.

use std::sync::Arc;

use super::authenticated::{Authenticated, Mechanism};
use super::payload::{ContentSha256, UNSIGNED_PAYLOAD};
use super::settings::SignatureSettings;
use super::{errors, sigv2, sigv4};
use crate::access::{Credential, Principal};
use crate::types::Timestamp;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Headers that decide about the signature or the framing. Each may be given once.
const SINGLE_HEADERS: [&str; 7] = [
    "authorization",
    "date",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
    "x-amz-trailer",
];

/// Checks the signature of a request. A request without a signature is anonymous.
///
/// # Errors
/// Error of S3 for a signature that is malformed, incomplete, expired or wrong. InvalidArgument for
/// two mechanisms in one request and for a query parameter that was given more than once.
pub fn authenticate(
    head: &Head,
    find: &dyn Fn(&str) -> Option<Arc<Credential>>,
    now: Timestamp,
    settings: &SignatureSettings,
) -> Result<Authenticated> {
    refuse_repeats(head)?;
    match mechanism(head)? {
        // `mechanism` never gives `Form`: the signature of a form is in its fields.
        Mechanism::Anonymous | Mechanism::Form => anonymous(head),
        Mechanism::HeaderV4 => sigv4::header(head, find, now, settings),
        Mechanism::PresignedV4 => sigv4::presigned(head, find, now, settings),
        Mechanism::PresignedV2 => sigv2::presigned(head, find, now, settings),
    }
}

/// Checks an authenticated request again while it lasts: its access key must still be valid, and a
/// presigned URL must not have expired.
///
/// # Errors
/// Error that the same request would get if it began now.
pub fn recheck(
    head: &Head,
    mechanism: Mechanism,
    principal: &Principal,
    find: &dyn Fn(&str) -> Option<Arc<Credential>>,
    now: Timestamp,
) -> Result<()> {
    match mechanism {
        Mechanism::PresignedV4 => sigv4::recheck_life(head, now)?,
        Mechanism::PresignedV2 => sigv2::recheck_life(head, now)?,
        // Valid for the moment at which the request began.
        Mechanism::Anonymous | Mechanism::HeaderV4 | Mechanism::Form => {}
    }
    let Some(signed) = principal.credential() else { return Ok(()) };
    let id = &signed.access_key_id;
    let same = |known: &Arc<Credential>| {
        known.enabled && known.secret_access_key == signed.secret_access_key
    };
    find(id).filter(same).map(|_| ()).ok_or_else(|| errors::unknown_key(id))
}

/// Mechanism that a request claims. One word of a mechanism is enough, so an incomplete signature
/// is an error and never an anonymous request.
fn mechanism(head: &Head) -> Result<Mechanism> {
    let in_header = head.has_header("authorization");
    let any = |names: &[&str]| names.iter().any(|name| head.query.has(name));
    let v4 = any(&["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"]);
    let v2 = any(&["AWSAccessKeyId", "Signature"]);
    match (in_header, v4, v2) {
        (false, false, false) => Ok(Mechanism::Anonymous),
        (true, false, false) => header_mechanism(head),
        (false, true, false) => Ok(Mechanism::PresignedV4),
        (false, false, true) => Ok(Mechanism::PresignedV2),
        (true, true, _) | (true, _, true) | (_, true, true) => Err(Error::because(
            ErrorCode::InvalidArgument,
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature \
             query string parameter or the Authorization header should be specified",
        )
        .field("ArgumentName", "Authorization")),
    }
}

fn header_mechanism(head: &Head) -> Result<Mechanism> {
    let text = head.header("authorization")?.unwrap_or_default();
    match text.split([' ', '\t']).next().unwrap_or_default() {
        sigv4::ALGORITHM => Ok(Mechanism::HeaderV4),
        "AWS" => Err(errors::signature_version_unsupported()),
        "AWS4-ECDSA-P256-SHA256" => Err(errors::sigv4a_not_implemented()),
        "" => Err(ErrorCode::AccessDenied.into()),
        // The value is not repeated in the answer: it may be a credential of another scheme.
        _ => Err(Error::because(ErrorCode::InvalidArgument, "Unsupported Authorization Type")
            .field("ArgumentName", "Authorization")),
    }
}

fn anonymous(head: &Head) -> Result<Authenticated> {
    let payload = head.header_or_query("x-amz-content-sha256")?.unwrap_or(UNSIGNED_PAYLOAD);
    Ok(Authenticated {
        principal: Principal::Anonymous,
        mechanism: Mechanism::Anonymous,
        payload: ContentSha256::parse(payload)?.unsigned(head)?,
    })
}

fn refuse_repeats(head: &Head) -> Result<()> {
    if let Some(name) = head.query.repeated() {
        return Err(Error::argument(name, "", "The query parameter was given more than once."));
    }
    let repeated = |name: &&&str| head.headers.get_all(**name).iter().nth(1).is_some();
    match SINGLE_HEADERS.iter().find(repeated) {
        None => Ok(()),
        Some(name) => Err(Error::because(
            ErrorCode::InvalidRequest,
            format!("The header {name} was given more than once."),
        )),
    }
}
