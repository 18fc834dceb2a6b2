//! Every test that drives a whole gateway, in one binary: it links once, and its tests share one
//! harness. `tests/it/ops/<module>.rs` mirrors `src/ops/<module>.rs`.

mod auth;
mod cli;
mod harness;
mod isolation;
mod ops;
mod presigned;
mod routing;
mod signer;
mod tidy;
