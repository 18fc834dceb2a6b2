//! Body of a request before it is read: its stream, and how it must be verified.

use http_body_util::BodyExt;

use crate::auth::{LengthRange, Payload};
use crate::limits::upload_rates::UploadRates;
use crate::types::UploadId;
use crate::wire::form::FormFields;
use crate::wire::response::Stream;

/// The fields of a form that came before its file.
pub struct Form {
    /// The fields.
    pub fields: FormFields,
    /// The length that the policy allows the file to have.
    pub bounds: LengthRange,
}

/// An unread body.
pub struct Incoming {
    /// The raw bytes.
    pub stream: Stream,
    /// Verification of the bytes.
    pub payload: Payload,
    /// The length of the raw body, if the client sent it.
    pub content_length: Option<u64>,
}

impl Incoming {
    /// The body of a request whose signature has been checked.
    pub fn new(stream: Stream, payload: Payload, content_length: Option<u64>) -> Self {
        Self { stream, payload, content_length }
    }

    /// A body of no bytes, in place of one that was taken out.
    pub fn taken() -> Self {
        let stream = http_body_util::Empty::new().map_err(|never| match never {}).boxed();
        Self { stream, payload: Payload::Unsigned, content_length: Some(0) }
    }

    /// The same body, whose bytes count for the upload that it is a part of.
    pub fn metered(mut self, rates: &UploadRates, upload: UploadId) -> Self {
        self.stream = rates.metered(upload, self.stream);
        self
    }

    /// The number of bytes of content: what is left when the framing is taken away.
    pub fn declared_length(&self) -> Option<u64> {
        match &self.payload {
            Payload::Chunked(chunked) => Some(chunked.decoded_length),
            Payload::Unsigned | Payload::Sha256(_) => self.content_length,
            Payload::Form(_) => None,
        }
    }

    /// The trailer names that the request announced.
    pub fn trailer(&self) -> Option<&[String]> {
        match &self.payload {
            Payload::Chunked(chunked) => chunked.trailer.as_deref(),
            Payload::Unsigned | Payload::Sha256(_) | Payload::Form(_) => None,
        }
    }

    /// True if the signature covers the SHA-256 of the body.
    pub fn is_signed(&self) -> bool {
        matches!(self.payload, Payload::Sha256(_))
    }

    /// The SHA-256 of the body, when the signature covers it.
    pub fn signed_sha256(&self) -> Option<[u8; 32]> {
        match &self.payload {
            Payload::Sha256(sha256) => Some(*sha256),
            Payload::Unsigned | Payload::Chunked(_) | Payload::Form(_) => None,
        }
    }

    /// The most bytes that the file of a form can have, if the client sent the body's length.
    pub fn file_bytes_max(&self) -> Option<u64> {
        match &self.payload {
            Payload::Form(file) => Some(self.content_length?.saturating_sub(file.end_bytes())),
            Payload::Unsigned | Payload::Sha256(_) | Payload::Chunked(_) => None,
        }
    }

    /// True if nothing but its length is known of the body.
    pub fn is_plain(&self) -> bool {
        matches!(self.payload, Payload::Unsigned)
    }

    /// True if the payload is aws-chunked, which only PutObject and UploadPart take.
    pub fn is_chunked(&self) -> bool {
        matches!(self.payload, Payload::Chunked(_))
    }
}
