//! Who sent this request, and how its body is to be verified. Pure: the time is an argument.
//!
//! **Invariant:** [`authenticate`] is exhaustive over the ways to sign and over the ways to send a
//! payload, and it is called once, before a byte of the body is read.

pub mod chunked;

use std::sync::Arc;

use crate::access::{Credential, Principal};
use crate::types::Timestamp;
use crate::wire::{Head, Result};

/// What the operator configured about signatures.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The region that this gateway names in its answers.
    pub region: String,
    /// Refuse a credential scope of another region.
    pub region_strict: bool,
    /// Accept SigV2 in presigned URLs.
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

/// How the body is framed and verified; decided by `x-amz-content-sha256` alone.
#[derive(Debug)]
pub enum Payload {
    /// Raw, taken as it comes: UNSIGNED-PAYLOAD.
    Unsigned,
    /// Raw, and its SHA-256 must be this one, else XAmzContentSHA256Mismatch.
    Sha256([u8; 32]),
    /// aws-chunked.
    Chunked(ChunkedPayload),
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

/// Checks the signature of a request, or finds that it has none.
pub fn authenticate(
    head: &Head,
    key: &dyn Fn(&str) -> Option<Arc<Credential>>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Authenticated> {
    unimplemented!()
}
