//! Options that a store is opened with.

use super::bounds::Bounds;
use crate::store::sources::Sources;

/// Options of a store: settings of the configuration, bounds of the store and sources.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; created if it does not exist.
    pub data: std::path::PathBuf,
    /// Bytes up to which bodies are stored in SQLite; larger ones are stored in files.
    pub inline_bytes_max: usize,
    /// Smallest part but the last in Complete, in bytes (S3: 5 MiB).
    pub part_bytes_min: u64,
    /// Bytes read, checked and sent at once.
    pub read_unit_bytes: usize,
    /// Free bytes on the disk below which writes are refused.
    pub free_bytes_min: u64,
    /// Buckets that one user may own.
    pub buckets_per_user_max: u64,
    /// Milliseconds after its last activity at which an open upload is aborted.
    pub upload_idle_ms_max: u64,
    /// Milliseconds after which a paused upload is aborted.
    pub upload_pause_ms_max: u64,
    /// Requests waiting for the writer above which new ones get SlowDown.
    pub writer_queue_max: usize,
    /// Bytes of WAL at which the writer itself checkpoints.
    pub wal_bytes_restart: u64,
    /// Bytes of WAL above which writes get SlowDown.
    pub wal_bytes_max: u64,
    /// Names of buckets whose contents are stored once, `*` for all.
    pub dedup_buckets: Vec<String>,
    /// Names of buckets that accept proof of possession instead of data, `*` for all.
    pub proof_buckets: Vec<String>,
    /// Targets of events.
    pub event_targets: Vec<EventTarget>,
    /// Bounds of the store's own work.
    pub bounds: Bounds,
    /// Time, ids and random bytes. The default is the system's.
    pub sources: Sources,
}

/// A target of events.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventTarget {
    /// Its name in the configuration.
    pub name: String,
    /// Events that may wait for it; further ones are dropped and counted.
    pub backlog_max: u64,
}
