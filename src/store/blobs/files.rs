//! Files of one data folder, and the syncs that make them durable.
//!
//! **Invariants**
//! - A failed fsync is never repeated: it poisons the files for the life of the process.
//! - After that nothing is written or acknowledged.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fmt, io};

use rustix::fs;

use super::folders::{Folders, Syncs};
use super::name::{BlobName, FolderEntry};
use super::segments::Segments;
use crate::store::error::{Error, Result};
use crate::store::sources::Sources;

/// The files of one data folder: `blobs/00` to `blobs/ff`, `segments/`, and `quarantine/`.
pub struct Blobs {
    pub(super) run: u64,
    pub(super) folders: Folders,
    pub(super) syncs: Syncs,
    pub(super) segments: Segments,
    poison: OnceLock<String>,
    pub(super) sources: Sources,
}

impl Blobs {
    /// Opens `data`; creates it and its folders (0700) if they do not exist. `run` is the number of
    /// this server run, higher than that of every earlier run. It is part of the names of new
    /// blobs. A data folder of another user, or writable by others, is [`Error::Refused`].
    pub fn open(data: &Path, run: u64, sources: Sources) -> Result<Arc<Self>> {
        Self::open_with(data, run, Syncs::default(), sources)
    }

    pub(super) fn open_with(
        data: &Path,
        run: u64,
        syncs: Syncs,
        sources: Sources,
    ) -> Result<Arc<Self>> {
        let folders = Folders::open(data)?;
        let (segments, poison) = (Segments::default(), OnceLock::new());
        Ok(Arc::new(Self { run, folders, syncs, segments, poison, sources }))
    }

    /// The number of this server run.
    pub fn run(&self) -> u64 {
        self.run
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.folders.data()
    }

    /// Calls `each` for everything below `blobs/` and `segments/`, in no order, and stops at its
    /// first error. Files made or removed meanwhile may or may not be seen.
    pub fn scan(&self, each: impl FnMut(FolderEntry) -> Result<()>) -> Result<()> {
        self.folders.scan(each)
    }

    /// Bytes of the file system that are free for ordinary users.
    pub fn free_bytes(&self) -> Result<u64> {
        let stat =
            fs::fstatvfs(self.folders.root()).map_err(|e| Error::io("measure", self.data(), e))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    /// Reason for which nothing may be written: an fsync has failed, or the folder was changed.
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

    pub(super) fn refuse_if_poisoned(&self) -> Result<()> {
        self.poison.get().map_or(Ok(()), |_| Err(Error::Poisoned))
    }

    /// fdatasync of a blob's file. A failure is final, for this file and for the store: the kernel
    /// has marked the pages clean, and a second call would succeed without the data on disk.
    pub(super) fn sync_file(&self, file: BorrowedFd<'_>, name: BlobName) -> Result<()> {
        (self.syncs.file)(file).map_err(|error| self.sync_failed(&self.path(name), &error))
    }

    /// fsync of a blob's folder, shared by all callers that wait for the same folder.
    pub(super) fn sync_folder(&self, name: BlobName) -> Result<()> {
        let folder = self.folders.of(name)?;
        let fsync = || {
            (self.syncs.folder)(folder.fd.as_fd()).inspect_err(|error| {
                // Poisoned before other callers return, so that the kept reason is the cause.
                let path = self.path(name);
                self.sync_failed(path.parent().unwrap_or(&path), error);
            })
        };
        folder.sync.wait(fsync).map_err(|_| Error::Poisoned)
    }

    pub(super) fn sync_failed(&self, path: &Path, error: &io::Error) -> Error {
        self.poison(format!("cannot sync {}: {error}", path.display()));
        Error::Poisoned
    }

    /// Path of a blob, for messages only.
    pub(super) fn path(&self, name: BlobName) -> PathBuf {
        self.folders.path(name)
    }
}

impl fmt::Debug for Blobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blobs({}, run {})", self.data().display(), self.run)
    }
}
