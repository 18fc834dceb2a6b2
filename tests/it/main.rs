//! x

mod auth;
mod signer;
