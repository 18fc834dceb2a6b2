//! How the body is framed and verified: `x-amz-content-sha256`, and what goes with it.
//!
//! **Invariant:** this header alone decides. `Content-Encoding: aws-chunked` says nothing here:
//! clients leave it out, and some send it without the framing.

use super::chunked::ChunkSigner;
use super::{ChunkedPayload, Payload};
use crate::wire::{Error, ErrorCode, Head, Result};

/// What presigned URLs and anonymous requests mean when they say nothing.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The most names in one `x-amz-trailer`. S3 knows one checksum for a request.
const TRAILER_NAMES_MAX: usize = 8;
const TRAILER_PREFIX: &str = "x-amz-checksum-";

/// The value of `x-amz-content-sha256`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mode {
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

impl Mode {
    /// The mode, exhaustively: what is not known here is refused.
    pub(super) fn parse(text: &str) -> Result<Self> {
        match text {
            UNSIGNED => return Ok(Self::Unsigned),
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => return Ok(Self::UnsignedTrailer),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => return Ok(Self::SignedChunks),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => return Ok(Self::SignedChunksTrailer),
            "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
            | "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER" => {
                return Err(Error::because(
                    ErrorCode::NotImplemented,
                    "Signature version 4A is not implemented.",
                ));
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

    /// The payload of a request with an Authorization header; `signer` continues its signature.
    pub(super) fn signed(self, head: &Head, signer: ChunkSigner) -> Result<Payload> {
        match self {
            Self::SignedChunks => chunked(head, false, Some(signer)),
            Self::SignedChunksTrailer => chunked(head, true, Some(signer)),
            Self::Unsigned | Self::Sha256(_) | Self::UnsignedTrailer => self.unsigned(head),
        }
    }

    /// The payload of a request that has no signature for chunks to continue: presigned or
    /// anonymous.
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
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| Error::argument(NAME, text, "The decoded length must be a decimal number."))
}

/// The names that `x-amz-trailer` announces, in lower case.
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
