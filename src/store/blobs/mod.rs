//! Files: the bytes of every PUT and part that is too large for SQLite.
//!
//! Small bodies share files: `packer::Packing::pack` appends them to a segment. Larger ones have a
//! file of their own: `writer::BlobWriter`.
//!
//! **Invariants**
//! - A blob is immutable: it is written once, to its final path, synced, then only read and
//!   removed. No path contains a byte that a client sent.
//! - `BlobWriter::finish` and `Packing::pack` return after the bytes and the file's entry in its
//!   folder are on disk. Until `staged::StagedBlob::keep`, dropping the staged blob removes them.
//! - `reader::BlobFile::read` returns no byte before the CRC of its block was checked.
//! - A failed fsync is never repeated: it poisons the files for the life of the process.
//! - Nothing outside this folder writes files of objects.

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
