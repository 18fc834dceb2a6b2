//! Authentication: the sender of a request, and the way to verify its body.
//!
//! Owns Signature Version 4 (header, query, form), Signature Version 2 (query, form), the framing
//! `aws-chunked` and the making of presigned URLs. The time and the look-up of credentials are
//! arguments, so the module has no state. [`crate::access`] decides about permissions.
//!
//! **Invariants**
//! - [`authenticate`] covers every way to sign and every value of `x-amz-content-sha256`. It is
//!   called once, before a byte of the body is read.
//! - A form carries its signature in its fields. [`form::authenticate`] is called after the fields
//!   and before the first byte of the file.

mod authenticate;
mod authenticated;
mod canonical;
mod chunk_signer;
pub mod chunked;
mod date;
mod errors;
pub mod form;
mod payload;
mod policy;
pub mod presign;
mod settings;
mod signing_key;
pub mod sigv2;
mod sigv4;
#[cfg(test)]
mod vectors;

pub use authenticate::{authenticate, recheck};
pub use authenticated::{Authenticated, Mechanism};
pub use payload::{ChunkedPayload, Payload};
pub use policy::LengthRange;
pub use settings::{EXPIRES_SECONDS_MAX, SignatureSettings};
