//! [`Payload`]: framing and verification of a body, as `x-amz-content-sha256` declares them.
//!
//! **Invariant:** this header alone decides. `Content-Encoding: aws-chunked` has no effect: some
//! clients omit it, and some send it without the framing.

use super::chunk_signer::ChunkSigner;
use super::errors;
use crate::types::decimal;
use crate::wire::form;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Value that presigned URLs and anonymous requests have by default.
pub(super) const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// Most names in one `x-amz-trailer`. S3 accepts one checksum for a request.
const TRAILER_NAMES_MAX: usize = 8;
const TRAILER_PREFIX: &str = "x-amz-checksum-";

/// Framing and verification of a body. `x-amz-content-sha256` alone decides, except for forms.
#[derive(Debug)]
pub enum Payload {
    /// Raw body that is not verified: `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// Raw body with this SHA-256. Another digest is XAmzContentSHA256Mismatch.
    Sha256([u8; 32]),
    /// Body in the framing aws-chunked.
    Chunked(ChunkedPayload),
    /// File of a form whose fields have been read.
    Form(Box<form::FileReader>),
}

/// Parameters of an aws-chunked body, known before its first byte.
#[derive(Debug)]
pub struct ChunkedPayload {
    /// `x-amz-decoded-content-length`: bytes of the object or part.
    pub decoded_length: u64,
    /// Names that `x-amz-trailer` announced, in lower case; `None` when no trailer follows.
    pub trailer: Option<Vec<String>>,
    /// Signer of chunks and trailer; `None` for `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    pub signer: Option<ChunkSigner>,
}

/// Value of `x-amz-content-sha256`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum ContentSha256 {
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
    /// 64 hexadecimal digits.
    Sha256([u8; 32]),
    /// `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    UnsignedTrailer,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    SignedChunks,
    /// `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    SignedChunksTrailer,
}

impl ContentSha256 {
    /// Value from text.
    ///
    /// # Errors
    /// NotImplemented for SigV4A; InvalidArgument for any other unknown value.
    pub(super) fn parse(text: &str) -> Result<Self> {
        match text {
            UNSIGNED_PAYLOAD => return Ok(Self::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => return Ok(Self::UnsignedTrailer),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => return Ok(Self::SignedChunks),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => return Ok(Self::SignedChunksTrailer),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(errors::sigv4a_not_implemented());
            }
            _ => {}
        }
        let mut digest = [0; 32];
        match hex::decode_to_slice(text, &mut digest) {
            Ok(()) => Ok(Self::Sha256(digest)),
            Err(_) => Err(Error::argument(
                "x-amz-content-sha256",
                text,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, \
                 STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER \
                 or a valid sha256 value.",
            )),
        }
    }

    /// Payload of a request with an Authorization header. `signer` continues its signature.
    pub(super) fn signed(self, head: &Head, signer: ChunkSigner) -> Result<Payload> {
        match self {
            Self::SignedChunks => chunked(head, false, Some(signer)),
            Self::SignedChunksTrailer => chunked(head, true, Some(signer)),
            Self::Unsigned | Self::Sha256(_) | Self::UnsignedTrailer => self.unsigned(head),
        }
    }

    /// Payload of a presigned or anonymous request. Signed chunks are refused, because they
    /// continue the signature of an Authorization header.
    pub(super) fn unsigned(self, head: &Head) -> Result<Payload> {
        match self {
            Self::Unsigned => Ok(Payload::Unsigned),
            Self::Sha256(digest) => Ok(Payload::Sha256(digest)),
            Self::UnsignedTrailer => chunked(head, true, None),
            Self::SignedChunks | Self::SignedChunksTrailer => Err(Error::because(
                ErrorCode::InvalidRequest,
                "Signed chunks need a request that is signed in its Authorization header.",
            )),
        }
    }
}

fn chunked(head: &Head, with_trailer: bool, signer: Option<ChunkSigner>) -> Result<Payload> {
    let decoded_length = decoded_length(head)?;
    let trailer = if with_trailer { Some(trailer_names(head)?) } else { None };
    Ok(Payload::Chunked(ChunkedPayload { decoded_length, trailer, signer }))
}

fn decoded_length(head: &Head) -> Result<u64> {
    const NAME: &str = "x-amz-decoded-content-length";
    let Some(text) = head.header_or_query(NAME)? else {
        return Err(Error::because(
            ErrorCode::MissingContentLength,
            "You must provide the x-amz-decoded-content-length header.",
        ));
    };
    decimal::parse(text)
        .ok_or_else(|| Error::argument(NAME, text, "The decoded length must be a decimal number."))
}

/// Names that `x-amz-trailer` announces, in lower case.
fn trailer_names(head: &Head) -> Result<Vec<String>> {
    const NAME: &str = "x-amz-trailer";
    let text = head.header_or_query(NAME)?.ok_or_else(|| {
        Error::because(
            ErrorCode::InvalidRequest,
            "Missing required header for this request: x-amz-trailer",
        )
    })?;
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',') {
        let name = name.trim().to_ascii_lowercase();
        let known = name.len() > TRAILER_PREFIX.len() && name.starts_with(TRAILER_PREFIX);
        if !known || names.contains(&name) || names.len() == TRAILER_NAMES_MAX {
            return Err(Error::because(
                ErrorCode::InvalidRequest,
                "The value specified in the x-amz-trailer header is not supported",
            ));
        }
        names.push(name);
    }
    Ok(names)
}
