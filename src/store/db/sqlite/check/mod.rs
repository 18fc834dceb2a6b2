//! Checks of rows: a function for each group of tables, one line for each violation.
//!
//! **Invariant:** each page is a short snapshot of its own ([`pages`]), so checkpoints proceed.
//! Lines found during writes may be wrong; the caller repeats and compares.

pub(crate) mod declarations;
pub(crate) mod extents;
pub(crate) mod outbox;
mod pages;
pub(crate) mod references;
pub(crate) mod rows;
