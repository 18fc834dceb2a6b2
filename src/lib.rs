//! Partita: an S3-compatible multipart object gateway.
#![warn(missing_docs)]

pub mod access;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod digest;
pub mod gateway;
pub mod log;
pub mod manage;
pub mod ops;
pub mod server;
pub mod store;
pub mod types;
pub mod wire;
