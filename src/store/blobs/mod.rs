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
mod name;
mod reader;
mod staged;
mod trailer;
mod writer;

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{self, AtFlags, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

pub use lock::{DataLock, lock};
pub use name::{BlobName, Found};
pub use reader::{BlobFile, Wait};
pub use staged::{Home, StagedBlob};
pub use writer::BlobWriter;

use super::error::{Error, Result};
use crate::digest::Digests;
use crate::types::{BlobId, ObjectKey, PUT_BYTES_MAX, PartNumber, Timestamp, UploadId};
use folders::{Folders, Syncs};

/// Bytes of plain data under one CRC32C.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Most bytes that one [`BlobFile::read`] may be asked for.
pub const READ_BYTES_MAX: u64 = 8 << 20;

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

/// Whether a data folder holds the file of any blob. Stops at the first.
pub fn holds_any(data: &Path) -> Result<bool> {
    let root = data.join("blobs");
    let read = |path: &Path| match std::fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path, error)),
    };
    for folder in read(&root)?.into_iter().flatten().flatten() {
        let path = folder.path();
        if path.is_dir() && read(&path)?.is_some_and(|mut files| files.next().is_some()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The blob files of one data folder: `blobs/00` to `blobs/ff`, and `quarantine/`.
pub struct Blobs {
    epoch: u64,
    folders: Folders,
    syncs: Syncs,
    poison: OnceLock<String>,
}

impl Blobs {
    /// Opens `data`, made with its folders (0700) if they are not there. `epoch` is the number of
    /// this server run: higher than that of every run before, it stands in the names of new blobs.
    /// A data folder of another user, or writable by others, is [`Error::Refused`].
    pub fn open(data: &Path, epoch: u64) -> Result<Arc<Self>> {
        Self::open_with(data, epoch, Syncs::default())
    }

    fn open_with(data: &Path, epoch: u64, syncs: Syncs) -> Result<Arc<Self>> {
        let folders = Folders::open(data)?;
        Ok(Arc::new(Self { epoch, folders, syncs, poison: OnceLock::new() }))
    }

    /// The number of this server run.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folders.data()
    }

    /// Begins a new blob; space is reserved at once when the length is known.
    /// [`Error::DiskFull`], [`Error::EntityTooLarge`], [`Error::Poisoned`].
    pub fn create(self: &Arc<Self>, origin: BlobOrigin, length: Option<u64>) -> Result<BlobWriter> {
        self.create_as(BlobName { epoch: self.epoch, id: BlobId::new() }, origin, length)
    }

    fn create_as(
        self: &Arc<Self>,
        name: BlobName,
        origin: BlobOrigin,
        length: Option<u64>,
    ) -> Result<BlobWriter> {
        self.refuse_if_poisoned()?;
        if length.is_some_and(|length| length > PUT_BYTES_MAX) {
            return Err(Error::EntityTooLarge);
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folders.of(name)?;
        let file = fs::openat(&folder.fd, name.to_string(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::io("make", self.path(name), e))?;
        let file_bytes = length.map(|length| trailer::file_bytes(length, &origin.key));
        // From here on, dropping the writer removes the file.
        let mut writer = BlobWriter::new(Arc::clone(self), name, origin, File::from(file));
        if let Some(bytes) = file_bytes {
            writer.reserve(bytes)?;
        }
        Ok(writer)
    }

    /// Opens a blob for reading; `length` is what its row says. A missing file, or one whose
    /// trailer does not verify or tells another length, is [`Error::Damaged`].
    pub fn open_blob(&self, name: BlobName, length: u64, wait: Wait) -> Result<BlobFile> {
        BlobFile::open(self, self.open_file(name, wait)?, name, length, wait)
    }

    /// What the trailer says, found from the file's end, for a blob without a row.
    pub fn record(&self, name: BlobName) -> Result<BlobRecord> {
        reader::record(self, self.open_file(name, Wait::Disk)?, name)
    }

    /// Reads and checks every block and page; gives what the trailer says.
    pub fn verify(&self, name: BlobName, length: u64) -> Result<BlobRecord> {
        let mut blob = self.open_blob(name, length, Wait::Disk)?;
        blob.verify()?;
        Ok(blob.record().clone())
    }

    fn open_file(&self, name: BlobName, wait: Wait) -> Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = &self.folders.of(name)?.fd;
        let opened = match wait {
            Wait::Disk => fs::openat(folder, name.to_string(), flags, Mode::empty()),
            Wait::Never => {
                let cached = ResolveFlags::CACHED;
                fs::openat2(folder, name.to_string(), flags, Mode::empty(), cached)
            }
        };
        match opened {
            Ok(file) => Ok(File::from(file)),
            Err(Errno::NOENT) => {
                Err(Error::Damaged { what: format!("blob {name}: there is no such file") })
            }
            Err(Errno::LOOP) => {
                Err(Error::Damaged { what: format!("blob {name}: it is a symbolic link") })
            }
            Err(error) => Err(Error::io("open", self.path(name), error)),
        }
    }

    /// Removes a blob. That it is gone already is success. Open readers keep their bytes. Not
    /// synced: a file that a power cut brings back is garbage of an ended epoch, and swept.
    pub fn unlink(&self, name: BlobName) -> Result<()> {
        let folder = self.folders.of(name)?;
        match fs::unlinkat(&folder.fd, name.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove", self.path(name), error)),
        }
    }

    /// For drop, which can tell nobody: a file left behind is swept after the next start.
    fn unlink_or_log(&self, name: BlobName) {
        if let Err(error) = self.unlink(name) {
            tracing::warn!(%name, %error, "a file without a row stays until the next sweep");
        }
    }

    /// Moves a blob to `quarantine/`. That it is gone already is success.
    pub fn quarantine(&self, name: BlobName) -> Result<()> {
        self.folders.quarantine(name)
    }

    /// Deletes what was quarantined before `older_than`; gives how many files.
    pub fn empty_quarantine(&self, older_than: Timestamp) -> Result<u64> {
        self.folders.empty_quarantine(older_than)
    }

    /// Calls `each` for everything below `blobs/`, in no order, and stops at its first error.
    /// Files made or removed meanwhile may or may not be seen.
    pub fn scan(&self, each: impl FnMut(Found) -> Result<()>) -> Result<()> {
        self.folders.scan(each)
    }

    /// Bytes that an ordinary user may still write to the disk.
    pub fn free_bytes(&self) -> Result<u64> {
        let stat =
            fs::fstatvfs(self.folders.root()).map_err(|e| Error::io("measure", self.data(), e))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Why nothing may be written any more, once an fsync has failed.
    pub fn poison_reason(&self) -> Option<String> {
        self.poison.get().cloned()
    }

    /// Stops all writing for the life of the process; the first reason is kept.
    pub fn poison(&self, reason: String) {
        // The first reason is the cause, later ones its consequences.
        if self.poison.set(reason.clone()).is_ok() {
            tracing::error!(reason, "nothing may be written until the next start");
        }
    }

    fn refuse_if_poisoned(&self) -> Result<()> {
        self.poison.get().map_or(Ok(()), |_| Err(Error::Poisoned))
    }

    /// fdatasync of a blob's file. A failure is final, for this file and for the store: the kernel
    /// has marked the pages clean, and a second call would succeed without the data on disk.
    fn sync_file(&self, file: BorrowedFd<'_>, name: BlobName) -> Result<()> {
        (self.syncs.file)(file).map_err(|error| self.sync_failed(&self.path(name), &error))
    }

    /// fsync of a blob's folder, shared with whoever waits for the same.
    fn sync_folder(&self, name: BlobName) -> Result<()> {
        let folder = self.folders.of(name)?;
        let fsync = || {
            (self.syncs.folder)(folder.fd.as_fd()).inspect_err(|error| {
                // Before the others hear of it, so that the cause is the reason that is kept.
                let path = self.path(name);
                self.sync_failed(path.parent().unwrap_or(&path), error);
            })
        };
        folder.sync.wait(fsync).map_err(|_| Error::Poisoned)
    }

    fn sync_failed(&self, path: &Path, error: &io::Error) -> Error {
        self.poison(format!("cannot sync {}: {error}", path.display()));
        Error::Poisoned
    }

    /// Where a blob is, for messages only.
    fn path(&self, name: BlobName) -> PathBuf {
        self.folders.path(name)
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({}, epoch {})", self.data().display(), self.epoch)
    }
}

#[cfg(test)]
mod tests;
