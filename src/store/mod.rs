//! The object store: SQLite for metadata, immutable files for bytes. It knows no HTTP and no XML.
//!
//! **The door.** A handler asks [`Store`] for a verb; one verb is one transaction (or one short
//! snapshot). No transaction, SQL or SQLite type crosses this door, so a second engine can be put
//! beside SQLite without a change above.
//!
//! **From the ground up**, without circles: `records` and [`error`], what goes in and out; `blobs`,
//! `directory`, `targets`, `watchers`, `pins`, `space`; in `meta` the writer, its queue and jobs,
//! the readers; `engine`, which holds all of these; in `meta` the nouns, and between them `content`
//! and `verify`, which read the bytes that objects and parts point at; `gc`, `sweep` and `check`;
//! here and in `verbs` the door. `engine/start` alone reaches up: it sets all the threads going.
//!
//! **Invariants**
//! - The row is the only commit point: bytes are in their file, synced, before the row that names
//!   them; a file without a row is garbage, a row without its file is an alarm.
//! - Zero is final: the transaction that takes a reference count to 0 marks the content dead;
//!   nothing revives it.
//! - Every verb on an upload checks in its own transaction that the upload is open.
//! - A verb that names a bucket takes the [`Permit`] for it.

mod accounts;
pub mod blobs;
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
mod tests;
mod upkeep;
mod uploads;

pub use blobs::{BlobOrigin, BlobWriter, PACKED_BYTES_MAX, StagedBlob};
pub use contents::reader::{ContentReader, OpenObject};
pub use error::{Error, Result};
pub use handle::Store;
pub use memory::pending::{Blocking, Pending};
pub use memory::watchers::UploadWatch;
pub use records::*;
pub use sources::Sources;
pub use space::Admission;
