//! x

mod auth;
mod signer;
mod tidy;
