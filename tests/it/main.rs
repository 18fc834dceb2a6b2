//! x

mod auth;
mod cli;
mod signer;
mod tidy;
