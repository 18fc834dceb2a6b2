//! Files: the bytes of every PUT and part that is too large for SQLite.
//!
//! **Invariants**
//! - A blob never changes: it is written once, under its final random name, synced, then only read
//!   and unlinked. No byte that a client sent ever reaches a path.
//! - [`BlobWriter::finish`] returns after the file and its folder entry are on disk; until
//!   [`StagedBlob::keep`] the file is its owner's to unlink.
//! - No byte leaves [`BlobFile::read`] before the CRC of its block has been checked.
//! - A failed fsync is never tried again: it poisons the folder for the life of the process.
//! - Nothing outside this folder writes with `std::fs`.

pub mod folder_sync;
mod folders;
mod lock;
mod reader;
mod staged;
mod trailer;
mod writer;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use lock::{DataLock, lock};
pub use reader::BlobFile;
pub use staged::{Home, StagedBlob};
pub use writer::BlobWriter;

use super::error::{Error, Result};
use crate::digest::Digests;
use crate::types::{BlobId, ObjectKey, PartNumber, Timestamp, UploadId};

/// Bytes of plain data under one CRC32C.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Most bytes that one [`BlobFile::read`] may be asked for.
pub const READ_BYTES_MAX: u64 = 8 << 20;

/// The name of one blob: the server run that made it, and its id. `Display` gives the file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobName {
    /// The number of the server run that made it.
    pub epoch: u64,
    /// The random id.
    pub id: BlobId,
}

impl BlobName {
    /// From a file name: `<epoch in 8 or more hex digits>-<32 hex digits>`, as `Display` gives it.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, id) = text.split_once('-')?;
        let name = Self { epoch: u64::from_str_radix(epoch, 16).ok()?, id: BlobId::parse(id)? };
        // One name, one spelling: no upper case, no sign, no spare zeros.
        (name.to_string() == text).then_some(name)
    }
    /// Which of the 256 folders holds it: the id's last byte, which is random.
    pub fn folder(&self) -> u8 {
        self.id.as_bytes()[15]
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.epoch, self.id)
    }
}

/// What a blob was made for: kept in its trailer, so that a lost database can be rebuilt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobOrigin {
    /// The bucket's id.
    pub bucket: i64,
    /// The object's key.
    pub key: ObjectKey,
    /// The upload and the part's number; `None` for PutObject and copies.
    pub part: Option<(UploadId, PartNumber)>,
}

/// What a blob's trailer says about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobRecord {
    /// Its name, the same as the file's.
    pub name: BlobName,
    /// What it was made for.
    pub origin: BlobOrigin,
    /// Length and digests of the plain bytes.
    pub digests: Digests,
}

/// One thing that [`Blobs::scan`] met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A blob's file, in its right place, and the bytes of the whole file (trailer included).
    Blob(BlobName, u64),
    /// Anything else: path below the data folder.
    Foreign(PathBuf),
}

/// The blob files of one data folder: `blobs/00` to `blobs/ff`, and `quarantine/`.
pub struct Blobs {
    data: PathBuf,
    epoch: u64,
}

impl Blobs {
    /// Opens `data`, made with its folders (0700) if they are not there. `epoch` is the number of
    /// this server run: higher than that of every run before, it stands in the names of new blobs.
    /// A data folder of another user, or writable by others, is [`Error::Refused`].
    pub fn open(data: &Path, epoch: u64) -> Result<Arc<Self>> {
        let _ = (data, epoch);
        Err(Error::Closed)
    }
    /// The number of this server run.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }
    /// Begins a new blob; space is reserved at once when the length is known.
    /// [`Error::DiskFull`], [`Error::EntityTooLarge`], [`Error::Poisoned`].
    pub fn create(self: &Arc<Self>, origin: BlobOrigin, length: Option<u64>) -> Result<BlobWriter> {
        let _ = (origin, length);
        Err(Error::Closed)
    }
    /// Opens a blob for reading; `length` is what its row says. A missing file, or one whose
    /// trailer does not verify or tells another length, is [`Error::Damaged`].
    pub fn open_blob(&self, name: BlobName, length: u64) -> Result<BlobFile> {
        let _ = (name, length);
        Err(Error::Closed)
    }
    /// What the trailer says, found from the file's end, for a blob without a row.
    pub fn record(&self, name: BlobName) -> Result<BlobRecord> {
        let _ = name;
        Err(Error::Closed)
    }
    /// Reads and checks every block and page; gives what the trailer says.
    pub fn verify(&self, name: BlobName, length: u64) -> Result<BlobRecord> {
        let _ = (name, length);
        Err(Error::Closed)
    }
    /// Removes a blob. That it is gone already is success. Open readers keep their bytes.
    pub fn unlink(&self, name: BlobName) -> Result<()> {
        let _ = name;
        Err(Error::Closed)
    }
    /// Moves a blob to `quarantine/`. That it is gone already is success.
    pub fn quarantine(&self, name: BlobName) -> Result<()> {
        let _ = name;
        Err(Error::Closed)
    }
    /// Deletes what was quarantined before `older_than`; gives how many files.
    pub fn empty_quarantine(&self, older_than: Timestamp) -> Result<u64> {
        let _ = older_than;
        Err(Error::Closed)
    }
    /// Calls `each` for everything below `blobs/`, in no order, and stops at its first error.
    /// Files made or removed meanwhile may or may not be seen.
    pub fn scan(&self, each: impl FnMut(Found) -> Result<()>) -> Result<()> {
        let _ = each;
        Err(Error::Closed)
    }
    /// Bytes that an ordinary user may still write to the disk.
    pub fn free_bytes(&self) -> Result<u64> {
        Err(Error::Closed)
    }
    /// Why nothing may be written any more, once an fsync has failed.
    pub fn poison_reason(&self) -> Option<String> {
        None
    }
    /// Stops all writing for the life of the process; the first reason is kept.
    pub fn poison(&self, reason: String) {
        let _ = reason;
    }
    /// The data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }
}
