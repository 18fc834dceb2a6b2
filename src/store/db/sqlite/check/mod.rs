//! Invariants over the rows of one moment: a function for each group, one line for each violation.
//!
//! **Invariant:** each page is a short snapshot of its own ([`pages`]), so checkpoints go on. Lines
//! found while others write may be wrong; the caller repeats and compares.

pub(crate) mod declarations;
pub(crate) mod extents;
pub(crate) mod outbox;
mod pages;
pub(crate) mod references;
pub(crate) mod rows;
