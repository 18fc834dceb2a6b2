//! Every test that drives a whole gateway, in one binary: it links once, and its tests share one
//! harness. `tests/it/ops/<module>.rs` mirrors `src/ops/<module>.rs`.

mod auth;
mod checksums;
mod cli;
mod conditional;
mod harness;
mod isolation;
mod limits;
mod ops;
mod payloads;
mod presigned;
mod routing;
mod signer;
mod tidy;
