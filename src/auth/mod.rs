//! Who sent this request, and how its body is to be verified. Pure: the time is an argument.
//!
//! **Invariant:** [`authenticate`] is exhaustive over the ways to sign and over the ways to send a
//! payload, and it is called once, before a byte of the body is read. (A form is signed in its own
//! fields, so they are read first; [`form::authenticate`] is called before any byte of its file.)

mod canonical;
pub mod chunked;
mod date;
pub mod form;
mod payload;
mod policy;
pub mod presign;
mod signing_key;
pub mod sigv2;
mod sigv4;
#[cfg(test)]
mod vectors;

use std::sync::Arc;

use crate::access::{Credential, Principal};
use crate::types::Timestamp;
use crate::wire::{self, Error, ErrorCode, Head, Result};

pub use policy::Bounds;

/// The longest life of a presigned URL in seconds: seven days.
pub const EXPIRES_SECONDS_MAX: u64 = 604_800;

/// What the operator configured about signatures.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The region that this gateway names in its answers.
    pub region: String,
    /// Refuse a credential scope of another region.
    pub region_strict: bool,
    /// Accept SigV2 in presigned URLs and forms.
    pub sigv2_presigned: bool,
}

/// How the request was signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// Not at all.
    Anonymous,
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    HeaderV4,
    /// `X-Amz-Signature` in the query.
    PresignedV4,
    /// `Signature` and `AWSAccessKeyId` in the query.
    PresignedV2,
    /// A policy among the fields of a form, signed in either way.
    Form,
}

/// What a checked signature tells.
#[derive(Debug)]
pub struct Authenticated {
    /// Who sent it.
    pub principal: Principal,
    /// How it was signed.
    pub mechanism: Mechanism,
    /// How the body must be verified.
    pub payload: Payload,
}

/// How the body is framed and verified; decided by `x-amz-content-sha256` alone, but for forms.
#[derive(Debug)]
pub enum Payload {
    /// Raw, taken as it comes: UNSIGNED-PAYLOAD.
    Unsigned,
    /// Raw, and its SHA-256 must be this one, else XAmzContentSHA256Mismatch.
    Sha256([u8; 32]),
    /// aws-chunked.
    Chunked(ChunkedPayload),
    /// The file of a form, whose fields have been read.
    Form(Box<wire::form::File>),
}

/// An aws-chunked body before its first byte.
#[derive(Debug)]
pub struct ChunkedPayload {
    /// `x-amz-decoded-content-length`: the number of bytes of the object or part.
    pub decoded_length: u64,
    /// Whether a trailer must follow, and the names that `x-amz-trailer` announced, in lower case.
    pub trailer: Option<Vec<String>>,
    /// How chunks (and the trailer) are signed; `None` for STREAMING-UNSIGNED-PAYLOAD-TRAILER.
    pub signer: Option<chunked::ChunkSigner>,
}

/// Looks an access key up by its id.
type Keys<'a> = &'a dyn Fn(&str) -> Option<Arc<Credential>>;

/// Headers that decide about the signature or the framing, so none may stand there twice.
const SINGLE_HEADERS: [&str; 7] = [
    "authorization",
    "date",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-security-token",
    "x-amz-trailer",
];

/// Checks the signature of a request, or finds that it has none.
pub fn authenticate(
    head: &Head,
    key: &dyn Fn(&str) -> Option<Arc<Credential>>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Authenticated> {
    refuse_repeats(head)?;
    match mechanism(head)? {
        // No head claims to be a form's: whether a form is signed stands in its fields.
        Mechanism::Anonymous | Mechanism::Form => anonymous(head),
        Mechanism::HeaderV4 => sigv4::header(head, key, now, rules),
        Mechanism::PresignedV4 => sigv4::presigned(head, key, now, rules),
        Mechanism::PresignedV2 => sigv2::presigned(head, key, now, rules),
    }
}

/// Checks again what may have ended since a request was authenticated, for those that last: its
/// key, and the life of a presigned URL.
///
/// # Errors
/// What the same request would be refused with if it came now.
pub fn recheck(
    head: &Head,
    mechanism: Mechanism,
    principal: &Principal,
    key: &dyn Fn(&str) -> Option<Arc<Credential>>,
    now: Timestamp,
) -> Result<()> {
    match mechanism {
        Mechanism::PresignedV4 => sigv4::recheck_life(head, now)?,
        Mechanism::PresignedV2 => sigv2::recheck_life(head, now)?,
        // Signed at the moment when the request began.
        Mechanism::Anonymous | Mechanism::HeaderV4 | Mechanism::Form => {}
    }
    let Some(signed) = principal.credential() else { return Ok(()) };
    let id = &signed.access_key_id;
    let same = |known: &Arc<Credential>| {
        known.enabled && known.secret_access_key == signed.secret_access_key
    };
    key(id).filter(same).map(|_| ()).ok_or_else(|| sigv4::unknown_key(id))
}

/// How the request claims to be signed: by any one word of a mechanism, so that a request with
/// half of a signature is an error and never an anonymous one.
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
        "AWS" => Err(please_use_v4()),
        "AWS4-ECDSA-P256-SHA256" => Err(Error::because(
            ErrorCode::NotImplemented,
            "Signature version 4A is not implemented.",
        )),
        "" => Err(ErrorCode::AccessDenied.into()),
        // The value stays out of the answer: it may be a credential of another kind.
        _ => Err(Error::because(ErrorCode::InvalidArgument, "Unsupported Authorization Type")
            .field("ArgumentName", "Authorization")),
    }
}

fn anonymous(head: &Head) -> Result<Authenticated> {
    let payload = head.header_or_query("x-amz-content-sha256")?.unwrap_or(payload::UNSIGNED);
    Ok(Authenticated {
        principal: Principal::Anonymous,
        mechanism: Mechanism::Anonymous,
        payload: payload::Mode::parse(payload)?.unsigned(head)?,
    })
}

fn refuse_repeats(head: &Head) -> Result<()> {
    if let Some(name) = head.query.repeated() {
        return Err(Error::argument(name, "", "A query parameter stands there twice."));
    }
    let repeated = |name: &&&str| head.headers.get_all(**name).iter().nth(1).is_some();
    match SINGLE_HEADERS.iter().find(repeated) {
        None => Ok(()),
        Some(name) => Err(Error::because(
            ErrorCode::InvalidRequest,
            format!("The header {name} stands there twice."),
        )),
    }
}

/// Nobody was ever given a session token here, so one that comes with a good signature is foreign.
fn refuse_token(head: &Head) -> Result<()> {
    match head.header_or_query("x-amz-security-token")? {
        None | Some("") => Ok(()),
        Some(_) => Err(ErrorCode::InvalidToken.into()),
    }
}

fn please_use_v4() -> Error {
    Error::because(
        ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use \
         AWS4-HMAC-SHA256.",
    )
}
