//! [`ChunkSigner`]: the signatures in an aws-chunked body.
//!
//! Source: AWS, "Signature calculations for the authorization header: transferring a payload in
//! multiple chunks".

use sha2::{Digest, Sha256};

use super::signing_key::{SigningKey, signature_matches};
use crate::wire::{Error, ErrorCode, Result};

/// State of the signatures of one body. Each signature covers the one before it.
#[derive(Debug)]
pub struct ChunkSigner {
    key: SigningKey,
    date: String,
    scope: String,
    previous: String,
}

impl ChunkSigner {
    /// Signer whose first chunk covers `seed`, the signature of the request. `date` is the
    /// `x-amz-date` of the request, `scope` its credential scope without the access key id.
    pub(super) fn new(key: SigningKey, date: &str, scope: &str, seed: [u8; 32]) -> Self {
        Self { key, date: date.into(), scope: scope.into(), previous: hex::encode(seed) }
    }

    /// Checks the signature of the next chunk. `data_digest` is the SHA-256 of its data.
    ///
    /// # Errors
    /// SignatureDoesNotMatch.
    pub(super) fn verify_chunk(&mut self, provided: &[u8], data_digest: [u8; 32]) -> Result<()> {
        let empty = hex::encode(Sha256::digest(b""));
        let digest = hex::encode(data_digest);
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &format!("{empty}\n{digest}"), provided)
    }

    /// Checks the signature of the trailer. `lines` are `name:value\n`, sorted by name.
    ///
    /// # Errors
    /// SignatureDoesNotMatch.
    pub(super) fn verify_trailer(&mut self, provided: &[u8], lines: &str) -> Result<()> {
        let digest = hex::encode(Sha256::digest(lines));
        self.verify("AWS4-HMAC-SHA256-TRAILER", &digest, provided)
    }

    fn verify(&mut self, algorithm: &str, digests: &str, provided: &[u8]) -> Result<()> {
        let Self { date, scope, previous, .. } = &*self;
        let string_to_sign = format!("{algorithm}\n{date}\n{scope}\n{previous}\n{digests}");
        let expected = self.key.sign(string_to_sign.as_bytes());
        if !signature_matches(provided, &expected) {
            return Err(Error::new(ErrorCode::SignatureDoesNotMatch)
                .field("StringToSign", string_to_sign)
                .field("SignatureProvided", String::from_utf8_lossy(provided)));
        }
        self.previous = hex::encode(expected);
        Ok(())
    }
}
