//! Files: the bytes of every PUT and part that is too large for SQLite.
//!
//! Small ones share files: [`Packing::pack`] appends them to a segment. Larger ones have a file of
//! their own: [`BlobWriter`].
//!
//! **Invariants**
//! - A blob never changes: it is written once, to its final place, synced, then only read and
//!   removed. No byte that a client sent ever reaches a path.
//! - [`BlobWriter::finish`] and [`Packing::pack`] answer after the bytes and the file's entry in
//!   its folder are on disk; until [`StagedBlob::keep`] they are their owner's to remove.
//! - No byte leaves [`BlobFile::read`] before the CRC of its block has been checked.
//! - A failed fsync is never tried again: it poisons the folder for the life of the process.
//! - Nothing outside this folder writes with `std::fs`.

pub(crate) mod earlier_runs;
pub(crate) mod files;
mod folder_sync;
mod folders;
pub(crate) mod location;
pub(crate) mod lock;
pub(crate) mod name;
pub(crate) mod origin;
pub(crate) mod packer;
pub(crate) mod reader;
mod removal;
mod segments;
pub(crate) mod staged;
pub(crate) mod stored;
#[cfg(test)]
mod tests;
mod trailer;
pub(crate) mod writer;
