//! Files: the bytes of every PUT and part that is too large for SQLite.
//!
//! Small ones share files: [`Packing::pack`] appends them to a segment. Larger ones have a file of
//! their own: [`BlobWriter`].
//!
//! **Invariants**
//! - A blob never changes: it is written once, to its final place, synced, then only read and
//!   removed. No byte that a client sent ever reaches a path.
//! - [`BlobWriter::finish`] and [`Packing::pack`] answer after the bytes and the file's entry in
//!   its folder are on disk; until [`StagedBlob::keep`] they are their owner's to remove.
//! - No byte leaves [`BlobFile::read`] before the CRC of its block has been checked.
//! - A failed fsync is never tried again: it poisons the folder for the life of the process.
//! - Nothing outside this folder writes with `std::fs`.

pub mod folder_sync;
mod folders;
mod location;
mod lock;
mod name;
mod packer;
mod reader;
mod segments;
mod staged;
mod stored;
mod trailer;
mod writer;

use crate::store::sources::Sources;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

pub use location::{Extent, Location};
pub use lock::{DataLock, lock};
pub use name::{BlobName, Found, SegmentName};
pub use packer::{Packer, Packing, packer};
pub use reader::{BlobFile, Wait};
pub use staged::{Home, StagedBlob};
pub(crate) use stored::{LoadedBlob, StoredBlob};
pub use writer::BlobWriter;

use super::error::{Error, Result};
use crate::digest::Digests;
use crate::types::{ObjectKey, PUT_BYTES_MAX, PartNumber, Timestamp, UploadId};
use folders::{Folders, Syncs};
use segments::Segments;

/// Bytes of plain data under one CRC32C.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Most bytes that one [`BlobFile::read`] may be asked for.
pub const READ_BYTES_MAX: u64 = 8 << 20;
/// Most bytes of a body that is packed: such a blob is always read whole.
pub const PACKED_BYTES_MAX: u64 = reader::WHOLE_BYTES_MAX;
/// Most pages of an extent: such a body, and the longest trailer.
pub const EXTENT_PAGES_MAX: u64 = PACKED_BYTES_MAX / location::PAGE_BYTES + 1;

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

/// Whether a data folder holds the bytes of any blob. Stops at the first.
pub fn holds_any(data: &Path) -> Result<bool> {
    if entries(&data.join("segments"))?.next().is_some() {
        return Ok(true);
    }
    for folder in entries(&data.join("blobs"))? {
        let path = folder.path();
        if path.is_dir() && entries(&path)?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The number of the last server run that made a segment; 0 if there is none. A database that was
/// restored from a backup does not know of that run, and its number must not be given again: also
/// not while its segments are in quarantine, where others of the same name would replace them.
pub fn newest_epoch(data: &Path) -> Result<u64> {
    let epoch = |entry: std::fs::DirEntry| {
        SegmentName::parse(entry.file_name().to_str()?).map(|name| name.epoch)
    };
    let found = entries(&data.join("segments"))?.chain(entries(&data.join("quarantine"))?);
    Ok(found.filter_map(epoch).max().unwrap_or(0))
}

/// Has the gaps in segments of run `epoch` and of later ones wait from now on. A database that
/// knows of no later run than `epoch` may be a restored one, which lacks rows of just these
/// segments, however long ago they were written.
pub fn renew_gaps(data: &Path, epoch: u64) -> Result<()> {
    for entry in entries(&data.join("segments"))? {
        let name = entry.file_name().to_str().and_then(SegmentName::parse);
        if name.is_none_or(|name| name.epoch < epoch) {
            continue;
        }
        let path = entry.path();
        fs::utimensat(CWD, &path, &folders::MODIFIED_NOW, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| Error::io("touch", path, error))?;
    }
    Ok(())
}

/// What is in a folder; nothing if it is not there.
fn entries(path: &Path) -> Result<impl Iterator<Item = std::fs::DirEntry> + use<>> {
    match std::fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(None.into_iter().flatten().flatten())
        }
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// The files of one data folder: `blobs/00` to `blobs/ff`, `segments/`, and `quarantine/`.
pub struct Blobs {
    epoch: u64,
    folders: Folders,
    syncs: Syncs,
    segments: Segments,
    poison: OnceLock<String>,
    sources: Sources,
}

impl Blobs {
    /// Opens `data`, made with its folders (0700) if they are not there. `epoch` is the number of
    /// this server run: higher than that of every run before, it stands in the names of new blobs.
    /// A data folder of another user, or writable by others, is [`Error::Refused`].
    pub fn open(data: &Path, epoch: u64, sources: Sources) -> Result<Arc<Self>> {
        Self::open_with(data, epoch, Syncs::default(), sources)
    }

    fn open_with(data: &Path, epoch: u64, syncs: Syncs, sources: Sources) -> Result<Arc<Self>> {
        let folders = Folders::open(data)?;
        let (segments, poison) = (Segments::default(), OnceLock::new());
        Ok(Arc::new(Self { epoch, folders, syncs, segments, poison, sources }))
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
        self.create_as(BlobName { epoch: self.epoch, id: self.sources.blob_id() }, origin, length)
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
    pub fn open_blob(&self, at: impl Into<Location>, length: u64, wait: Wait) -> Result<BlobFile> {
        let at = at.into();
        match at.extent {
            None => BlobFile::open(self, self.open_file(at.name, wait)?, at.name, length, wait),
            Some(extent) if !extent.is_sound() => {
                Err(Error::Damaged { what: format!("blob {}: no blob is at {extent:?}", at.name) })
            }
            Some(extent) => {
                let file = self.open_segment(at, extent, wait)?;
                BlobFile::open_packed(self, file, at.name, extent, length, wait)
            }
        }
    }

    /// What the trailer says, found from the file's end, for a file without a row.
    pub fn record(&self, name: BlobName) -> Result<BlobRecord> {
        reader::record(self, self.open_file(name, Wait::Disk)?, name)
    }

    /// Reads and checks every block and page; gives what the trailer says.
    pub fn verify(&self, at: impl Into<Location>, length: u64) -> Result<BlobRecord> {
        let mut blob = self.open_blob(at, length, Wait::Disk)?;
        blob.verify()?;
        Ok(blob.record().clone())
    }

    fn open_file(&self, name: BlobName, wait: Wait) -> Result<File> {
        match open_below(&self.folders.of(name)?.fd, &name.to_string(), wait) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT) => {
                Err(Error::Damaged { what: format!("blob {name}: there is no such file") })
            }
            Err(Errno::LOOP) => {
                Err(Error::Damaged { what: format!("blob {name}: it is a symbolic link") })
            }
            Err(error) => Err(Error::io("open", self.path(name), error)),
        }
    }

    /// Removes a blob, and gives its room back. That it is gone already is success.
    pub fn remove(&self, at: Location) -> Result<()> {
        match at.extent {
            None => self.unlink(at.name),
            Some(extent) => self.punch(at.name.epoch, extent),
        }
    }

    /// Removes the file of a blob. Open readers keep their bytes. Not synced: a file that a power
    /// cut brings back is garbage of an ended epoch, and swept.
    fn unlink(&self, name: BlobName) -> Result<()> {
        let folder = self.folders.of(name)?;
        match fs::unlinkat(&folder.fd, name.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove", self.path(name), error)),
        }
    }

    /// For drop, which can tell nobody: what is left behind is swept after the next start.
    fn remove_or_log(&self, at: Location) {
        if let Err(error) = self.remove(at) {
            tracing::warn!(name = %at.name, %error, "bytes without a row stay until a sweep");
        }
    }

    /// Moves the file of a blob to `quarantine/`. That it is gone already is success.
    pub fn quarantine(&self, name: BlobName) -> Result<()> {
        self.folders.quarantine(name)
    }

    /// Deletes what was quarantined before `older_than`; gives how many files.
    pub fn empty_quarantine(&self, older_than: Timestamp) -> Result<u64> {
        self.folders.empty_quarantine(older_than)
    }

    /// Calls `each` for everything below `blobs/` and `segments/`, in no order, and stops at its
    /// first error. Files made or removed meanwhile may or may not be seen.
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

/// Opens a file for reading; without waiting only if the kernel has its entry in memory.
fn open_below(folder: &OwnedFd, file: &str, wait: Wait) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = match wait {
        Wait::Disk => fs::openat(folder, file, flags, Mode::empty()),
        Wait::Never => fs::openat2(folder, file, flags, Mode::empty(), ResolveFlags::CACHED),
    };
    opened.map(File::from)
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({}, epoch {})", self.data().display(), self.epoch)
    }
}

#[cfg(test)]
mod tests;
