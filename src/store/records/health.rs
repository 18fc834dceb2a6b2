//! Health of an open store.

/// Health of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// True if writes are accepted: not poisoned, not closed, disk not full, WAL not too long.
    pub writable: bool,
    /// Reason for which the store is poisoned, if it is.
    pub poisoned: Option<String>,
    /// Bytes of WAL that are not yet in the database file.
    pub wal_bytes: u64,
    /// Bytes free for bodies; reserved ones and the watermark are not deducted.
    pub free_bytes: u64,
    /// Jobs that wait for the writer.
    pub queue_length: usize,
    /// Objects whose reading met damage since the start, one line each, with bucket and key.
    pub damaged: Vec<String>,
}
