//! Errors and refusals that Signature Versions 2 and 4 share.

use super::canonical::spaced_hex;
use crate::wire::{Error, ErrorCode, Head, Result};

/// InvalidRequest for a signature version that is not accepted.
pub(super) fn signature_version_unsupported() -> Error {
    Error::because(
        ErrorCode::InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use \
         AWS4-HMAC-SHA256.",
    )
}

/// NotImplemented for SigV4A, the asymmetric variant of SigV4.
pub(super) fn sigv4a_not_implemented() -> Error {
    Error::because(ErrorCode::NotImplemented, "Signature version 4A is not implemented.")
}

/// InvalidAccessKeyId for an access key that is unknown or disabled.
pub(super) fn unknown_key(access_key_id: &str) -> Error {
    Error::new(ErrorCode::InvalidAccessKeyId).field("AWSAccessKeyId", access_key_id)
}

/// SignatureDoesNotMatch with the string to sign that the server built, so that the author of a
/// client can compare.
pub(super) fn mismatch(access_key_id: &str, string_to_sign: &str, provided: &str) -> Error {
    Error::new(ErrorCode::SignatureDoesNotMatch)
        .field("AWSAccessKeyId", access_key_id)
        .field("StringToSign", string_to_sign)
        .field("SignatureProvided", provided)
        .field("StringToSignBytes", spaced_hex(string_to_sign.as_bytes()))
}

/// Refuses `x-amz-security-token`. This server issues no temporary credentials, so a token beside
/// a valid signature is foreign.
///
/// # Errors
/// InvalidToken.
pub(super) fn refuse_token(head: &Head) -> Result<()> {
    match head.header_or_query("x-amz-security-token")? {
        None | Some("") => Ok(()),
        Some(_) => Err(ErrorCode::InvalidToken.into()),
    }
}
