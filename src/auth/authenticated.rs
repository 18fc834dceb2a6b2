//! [`Authenticated`]: the result of a check of a signature.

use super::payload::Payload;
use crate::access::Principal;

/// Way in which a request is signed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mechanism {
    /// No signature.
    Anonymous,
    /// `Authorization: AWS4-HMAC-SHA256 …`.
    HeaderV4,
    /// `X-Amz-Signature` in the query.
    PresignedV4,
    /// `Signature` and `AWSAccessKeyId` in the query.
    PresignedV2,
    /// Signed policy among the fields of a form, SigV4 or SigV2.
    Form,
}

impl Mechanism {
    /// True for a URL that carries its signature: whoever has the URL can send it.
    pub fn is_presigned(self) -> bool {
        matches!(self, Self::PresignedV4 | Self::PresignedV2)
    }
}

/// Request whose signature is valid, or that has none.
#[derive(Debug)]
pub struct Authenticated {
    /// Sender.
    pub principal: Principal,
    /// Way in which it is signed.
    pub mechanism: Mechanism,
    /// Framing and verification of the body.
    pub payload: Payload,
}
