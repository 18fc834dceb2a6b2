//! Tests that drive a whole gateway, in one binary: it links once, and its tests share one harness.
//! `tests/it/ops/<module>.rs` mirrors `src/ops/<module>.rs`.

// Tests fail by panicking.
#![allow(clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // Blocking verbs run on the thread of the test.

mod auth;
mod bounds;
mod checksums;
mod cli;
mod conditional;
mod cors;
mod declared;
mod events;
mod examples;
mod extensions;
mod fairness;
mod formats;
mod forms;
mod grants;
mod harness;
mod instant;
mod isolation;
mod kill;
mod limits;
mod model;
mod ops;
mod pause;
mod payloads;
mod presigned;
mod progress;
mod routing;
mod sdk;
mod signer;
mod tidy;
mod two_gateways;
mod uploads_features;
