//! SQLite as the engine of metadata. Only this folder names rusqlite or SQL.
//!
//! - Machinery: `connection`, `job` and `queue` (work for the writer), `writer` (the one thread
//!   that changes rows), `readers`, `wal` (checkpoints), `state`, `schema`, `columns`, and
//!   `database`, which holds them together.
//! - Verbs, a file for each noun. The whole body of a verb is here: one transaction or one
//!   snapshot. A second engine would be a sibling of this folder with the same verbs.
//!
//! **Invariants**
//! - Verbs take no permits: authorization is done above.
//! - No read transaction lives over a second: long reads go in pages.

pub(crate) mod accounts;
pub(crate) mod blob_row;
pub(crate) mod buckets;
pub(crate) mod check;
pub(crate) mod columns;
pub(crate) mod complete;
pub(crate) mod configurations;
pub(crate) mod connection;
pub(crate) mod contents;
pub(crate) mod database;
pub(crate) mod declarations;
pub(crate) mod deduplicated;
pub(crate) mod deliveries;
pub(crate) mod files;
pub(crate) mod garbage;
#[cfg(test)]
pub(crate) mod inspector;
pub(crate) mod job;
pub(crate) mod listing;
pub(crate) mod manifests;
pub(crate) mod missing_parts;
pub(crate) mod objects;
pub(crate) mod outbox;
pub(crate) mod parts;
pub(crate) mod pause;
#[cfg(test)]
pub(crate) mod planter;
pub(crate) mod progress;
pub(crate) mod queue;
pub(crate) mod readers;
pub(crate) mod runs;
pub(crate) mod schema;
pub(crate) mod state;
pub(crate) mod upload_changes;
pub(crate) mod uploads;
pub(crate) mod wal;
pub(crate) mod wal_file;
pub(crate) mod writer;
