//! The object store: SQLite for metadata, immutable files for bytes. It knows no HTTP and no XML.
//!
//! **API.** A handler calls verbs of [`Store`]; one verb is one transaction, or one short snapshot.
//! Three kinds need more, and are correct between their steps: `complete_upload` reads a file with
//! a declared digest before its transaction, which checks that nothing changed; `open_object` reads
//! the row again once the content is pinned; upkeep works in bounded steps, each a transaction.
//! No transaction, SQL or SQLite type is in its signatures, so a second engine can be added beside
//! SQLite without a change above.
//!
//! **Layers**, top down; each may use only those below it:
//! 1. `upkeep` (garbage collection, sweep, check) and the nouns (`accounts`, `buckets`,
//!    `configurations`, `contents`, `events`, `objects`, `staging`, `uploads`), each with its own
//!    `impl Store`; `handle`.
//! 2. `engine`: the state of an open store.
//! 3. `db/sqlite`: transactions and snapshots.
//! 4. `rules`: what does not depend on the engine of metadata.
//! 5. `space`: admission and ballast.
//! 6. `blobs`: files.
//! 7. `memory`: state in memory.
//! 8. `sources`, `records`, [`error`].
//!
//! **Invariants**
//! - The row is the only commit point: bytes are in their file, synced, before the row that names
//!   them. A file without a row is garbage; a row without its file is an alarm.
//! - Zero is final: the transaction that takes a reference count to 0 marks the content dead, and
//!   it stays dead.
//! - Every verb on an upload checks in its own transaction that the upload is open.
//! - A verb that reads or changes what is in a bucket, or its settings, takes the permit for it.
//!   Without one are inputs of a decision (owner and CORS rules of a bucket, the buckets of a user,
//!   the bucket and key of an upload), accounts, watches of uploads, upkeep, and the webhooks.

mod accounts;
mod blobs;
mod buckets;
mod configurations;
mod contents;
mod db;
mod engine;
pub mod error;
mod events;
mod handle;
mod memory;
mod objects;
mod records;
mod rules;
mod sources;
mod space;
mod staging;
#[cfg(test)]
#[allow(clippy::disallowed_methods)] // Tests run blocking verbs on their own thread.
mod tests;
mod upkeep;
mod uploads;

pub use blobs::location::PACKED_BYTES_MAX;
pub use blobs::origin::BlobOrigin;
pub use blobs::staged::StagedBlob;
pub use contents::reader::{ContentReader, ObjectParts, OpenObject};
pub use error::{Error, Result};
pub use handle::Store;
pub use memory::pending::{Blocking, Cancellation, Pending};
pub use memory::source_blob::SourceBlob;
pub use memory::watchers::UploadWatch;
pub use records::*;
pub use sources::Sources;
pub use space::admission::Admission;
pub use space::writer::AdmittedWriter;
