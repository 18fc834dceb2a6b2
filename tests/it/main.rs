//! x

mod auth;
mod cli;
mod kill;
mod signer;
mod tidy;
