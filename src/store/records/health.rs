//! Health of an open store.

/// Health of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// True if writes are accepted: not poisoned, not closed, disk not full, WAL not too long.
    pub writable: bool,
    /// Why nothing may be promised any more, if so.
    pub poisoned: Option<String>,
    /// Bytes of WAL that are not yet in the database file.
    pub wal_bytes: u64,
    /// Bytes that admission may still give away, reserved ones and the watermark not deducted.
    pub free_bytes: u64,
    /// Jobs that wait for the writer.
    pub queue_length: usize,
}
