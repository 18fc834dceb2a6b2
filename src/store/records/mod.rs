//! What the verbs take and give: plain values, valid by construction, free of SQL.
//!
//! **Invariant:** nothing here names the engine, the metadata or a file: all of the store may name
//! a record, and a record names records only.

pub(crate) mod contents;
pub(crate) mod declared;
pub(crate) mod events;
pub(crate) mod missing_parts;
pub(crate) mod objects;
pub(crate) mod progress;
pub(crate) mod uploads;

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

pub use contents::*;
pub use declared::*;
pub use events::*;
pub use missing_parts::*;
pub use objects::*;
pub use progress::*;
pub use uploads::*;

use super::sources::Sources;
use crate::access::Bucket;

/// How to open a store. Every field is a setting of the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; made if it is not there.
    pub data: std::path::PathBuf,
    /// Bodies up to this many bytes live in SQLite, larger ones in files.
    pub inline_bytes_max: usize,
    /// Smallest part but the last in Complete, in bytes (S3: 5 MiB).
    pub part_bytes_min: u64,
    /// Bytes read, checked and sent at once.
    pub read_unit_bytes: usize,
    /// Free bytes on the disk below which writes are refused.
    pub free_bytes_min: u64,
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
    /// Names of buckets in which a proof of possession is as good as the bytes, `*` for all.
    pub proof_buckets: Vec<String>,
    /// Who may be told of events.
    pub event_targets: Vec<EventTarget>,
    /// Time, ids and random bytes. The default is the system's.
    pub sources: Sources,
}

/// A target of events, as the store knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventTarget {
    /// Its name in the configuration.
    pub name: String,
    /// Events that may wait for it; what comes then is only counted.
    pub backlog_max: u64,
}

/// What can be configured for a bucket. The number is kept in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i64)]
pub enum BucketConfigurationKind {
    /// The rules for pages of other origins.
    Cors = 1,
    /// Who is told of which events.
    Notification = 2,
}

impl BucketConfigurationKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Cors, Self::Notification];

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == code)
    }
}

/// One document of a bucket's configuration: its bytes as they were put, and what they mean.
pub struct BucketConfiguration {
    bytes: Vec<u8>,
    meaning: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl BucketConfiguration {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, meaning: OnceLock::new() }
    }

    /// The bytes that were put.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the bytes mean, read by the first who asks. It never grows stale: what is put later is
    /// another document. Each kind of document has one type of meaning, else `None`.
    pub fn meaning<T: Any + Send + Sync>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<&T> {
        self.meaning.get_or_init(|| Box::new(read(&self.bytes))).downcast_ref()
    }
}

impl fmt::Debug for BucketConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a document says may be a secret.
        write!(f, "BucketConfiguration({} bytes)", self.bytes.len())
    }
}

/// A page of keys is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that share what lies between the prefix and this are folded into one common prefix.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes that sort after this one.
    pub after: Option<String>,
    /// At most so many keys and common prefixes together; 0 gives an empty, complete page.
    pub max: usize,
}

/// An entry of a page: things in key order, common prefixes among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed<T> {
    /// A key of its own.
    Item(T),
    /// A common prefix, the delimiter included.
    Prefix(String),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<Listed<T>>,
    /// Whether more follow after the last entry.
    pub truncated: bool,
}

/// How CreateBucket ended.
#[derive(Clone, Debug)]
pub enum CreatedBucket {
    /// The bucket is new.
    Created(Arc<Bucket>),
    /// A bucket of that name was there before; its owner says whose it is.
    Exists(Arc<Bucket>),
}

/// A user to be made.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The canonical id; random (64 hexadecimal digits) if none is given.
    pub id: Option<String>,
    /// The name on the command line, unique.
    pub name: String,
    /// `DisplayName`; the name if none is given.
    pub display_name: Option<String>,
    /// E-mail address, unique if given.
    pub email: Option<String>,
    /// Whether every action is allowed.
    pub root: bool,
    /// Access key id and secret of the first key; random if none are given.
    pub key: Option<(String, String)>,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether writes are taken: not poisoned, not closed, disk not full, WAL not too long.
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
