//! Writer of blobs: bytes, block CRCs, trailer, fdatasync, fsync of the folder.
//!
//! **Invariants:** `partial` holds the bytes after the last whole block, not yet in the file;
//! `sums` has one CRC for each whole block, all of which are in the file.

use std::fmt;
use std::fs::File;
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::fs::{Advice, FallocateFlags, Mode, OFlags, fadvise, fallocate, openat};
use rustix::io::{Errno, retry_on_intr};

use super::files::Blobs;
use super::location::Location;
use super::name::BlobName;
use super::origin::{BlobOrigin, BlobRecord};
use super::staged::StagedBlob;
use super::trailer::{self, BLOCK_BYTES};
use crate::digest::Digests;
use crate::store::error::{Error, Result};
use crate::types::PUT_BYTES_MAX;

const BLOCK: usize = BLOCK_BYTES as usize;
/// Bytes after which write-back is started, so that the final sync does not have to write all of
/// them.
const WRITE_BACK_BYTES: u64 = 1 << 20;

/// A blob being written. `Send`. Dropped without [`finish`](Self::finish), its file is unlinked.
///
/// It holds up to one block, and 4 bytes for each block written: 320 KiB at the 5 GiB limit.
pub struct BlobWriter {
    blobs: Arc<Blobs>,
    name: BlobName,
    origin: BlobOrigin,
    /// `None` once the file belongs to the staged blob.
    file: Option<File>,
    /// Announced bytes of the blob.
    length: Option<u64>,
    /// Bytes of the file that are allocated.
    allocated: u64,
    partial: Vec<u8>,
    sums: Vec<u32>,
    /// Bytes whose write-back was started.
    handed_over: u64,
}

impl Blobs {
    /// Begins a new blob. [`Error::EntityTooLarge`], [`Error::Poisoned`].
    pub fn create(self: &Arc<Self>, origin: BlobOrigin, length: Option<u64>) -> Result<BlobWriter> {
        self.create_as(BlobName { run: self.run, id: self.sources.blob_id() }, origin, length)
    }

    pub(super) fn create_as(
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
        let file = openat(&folder.fd, name.to_string(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::io("make", self.path(name), e))?;
        Ok(BlobWriter {
            blobs: Arc::clone(self),
            name,
            origin,
            // From here on, dropping the writer removes the file.
            file: Some(File::from(file)),
            length,
            allocated: 0,
            partial: Vec::new(),
            sums: Vec::new(),
            handed_over: 0,
        })
    }
}

impl BlobWriter {
    /// Allocates disk space for the first `bytes` of the blob, and for the trailer with the last of
    /// them, so that a full disk is known before they are written. Blocking. False if the length is
    /// not known or the file system cannot. [`Error::DiskFull`].
    pub fn allocate(&mut self, bytes: u64) -> Result<bool> {
        let Some(length) = self.length else { return Ok(false) };
        let end = match bytes < length {
            true => bytes,
            false => trailer::file_bytes(length, &self.origin.key),
        };
        let Some(more) = end.checked_sub(self.allocated).filter(|more| *more > 0) else {
            return Ok(true);
        };
        let file = self.file.as_ref().expect("only finish takes it");
        let from = self.allocated;
        match retry_on_intr(|| fallocate(file, FallocateFlags::KEEP_SIZE, from, more)) {
            Ok(()) => {
                self.allocated = end;
                Ok(true)
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(Error::io("allocate", self.blobs.path(self.name), error)),
        }
    }

    /// Bytes written so far.
    pub fn length(&self) -> u64 {
        self.sums.len() as u64 * BLOCK_BYTES + self.partial.len() as u64
    }

    /// Appends bytes. Blocking. After an error the writer can only be dropped. [`Error::DiskFull`];
    /// [`Error::EntityTooLarge`] above 5 GiB.
    pub fn write(&mut self, mut bytes: &[u8]) -> Result<()> {
        if self.length() + bytes.len() as u64 > PUT_BYTES_MAX {
            return Err(Error::EntityTooLarge);
        }
        if !self.partial.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.partial.len()));
            self.partial.extend_from_slice(now);
            bytes = later;
            if self.partial.len() < BLOCK {
                return Ok(());
            }
            self.append(&self.partial)?;
            self.sums.push(trailer::crc32c(&self.partial));
            self.partial.clear();
        }
        // Whole blocks go from the caller's buffer to the file without a copy.
        let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % BLOCK);
        if !whole.is_empty() {
            self.append(whole)?;
            self.sums.extend(whole.chunks(BLOCK).map(trailer::crc32c));
            self.write_back();
        }
        self.partial.extend_from_slice(rest);
        Ok(())
    }

    /// Appends the trailer and makes file and folder entry durable. Blocking. Asserts that the
    /// digests are of as many bytes as were written. A failed sync is [`Error::Poisoned`].
    pub fn finish(mut self, digests: Digests) -> Result<StagedBlob> {
        assert_eq!(digests.length, self.length(), "digests of other bytes");
        let record = BlobRecord { name: self.name, origin: self.origin.clone(), digests };
        let mut sums = self.sums.clone();
        if !self.partial.is_empty() {
            sums.push(trailer::crc32c(&self.partial));
        }
        trailer::append(&mut self.partial, &record, &sums);
        self.append(&self.partial)?;
        let file = self.file.as_ref().expect("only finish takes it");
        self.blobs.sync_file(file.as_fd(), self.name)?;
        self.blobs.sync_folder(self.name)?;
        self.blobs.refuse_if_poisoned()?;
        // Closing reports nothing more: all bytes are synced.
        self.file = None;
        Ok(StagedBlob::file(Arc::clone(&self.blobs), self.name, record.digests))
    }

    /// Starts write-back of the bytes written since the last call. Linux starts it on
    /// `POSIX_FADV_DONTNEED` and drops only pages that are on the disk already. It is advice: if it
    /// fails, the sync writes the bytes.
    fn write_back(&mut self) {
        let written = self.sums.len() as u64 * BLOCK_BYTES;
        let gathered = written - self.handed_over;
        if gathered < WRITE_BACK_BYTES {
            return;
        }
        let file = self.file.as_ref().expect("only finish takes it");
        let _ = fadvise(file, self.handed_over, NonZeroU64::new(gathered), Advice::DontNeed);
        self.handed_over = written;
    }

    /// Writes `bytes` after the last whole block.
    fn append(&self, bytes: &[u8]) -> Result<()> {
        let file = self.file.as_ref().expect("only finish takes it");
        // This call continues after short and interrupted writes.
        file.write_all_at(bytes, self.sums.len() as u64 * BLOCK_BYTES)
            .map_err(|e| Error::io("write", self.blobs.path(self.name), e))
    }
}

impl Drop for BlobWriter {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            self.blobs.remove_or_log(Location::from(self.name));
        }
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobWriter({}, {} bytes)", self.name, self.length())
    }
}
