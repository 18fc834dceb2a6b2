//! Admission: reservation of disk space for bodies.
//!
//! Free bytes are those of the file system plus SQLite's free pages (which the database reuses
//! without growing), minus reservations. The file system is asked each time: it takes a
//! microsecond, and a disk can fill up while a cached answer is used.
//!
//! **Invariant:** while the ballast is removed, its space is kept for operations that free space:
//! new bodies are refused until it could be written again. Else they would use it up, and deletes
//! would fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ballast::{BALLAST_BYTES, Ballast};
use crate::store::blobs::files::Blobs;
use crate::store::error::{Error, Result};
use crate::types::OBJECT_BYTES_MAX;

/// Bytes reserved for a body of unknown length.
const UNKNOWN_LENGTH_BYTES: u64 = 8 << 20;

/// Counts free and reserved bytes.
pub(crate) struct Space {
    blobs: Arc<Blobs>,
    ballast: Arc<Ballast>,
    free_bytes_min: u64,
    reserved: AtomicU64,
    /// Bytes of SQLite's free pages, set by the checkpoint thread.
    free_page_bytes: AtomicU64,
}

/// Room on the disk, reserved until this is dropped.
pub struct Admission {
    space: Arc<Space>,
    bytes: AtomicU64,
}

impl Space {
    pub(crate) fn new(blobs: Arc<Blobs>, ballast: Arc<Ballast>, free_bytes_min: u64) -> Self {
        let (reserved, free_page_bytes) = Default::default();
        Self { blobs, ballast, free_bytes_min, reserved, free_page_bytes }
    }

    /// Reserves `bytes`. [`Error::DiskFull`] when less than the watermark would be left.
    pub(crate) fn admit(self: &Arc<Self>, bytes: Option<u64>) -> Result<Admission> {
        let bytes = bytes.unwrap_or(UNKNOWN_LENGTH_BYTES).min(OBJECT_BYTES_MAX);
        // Reserved first, then checked: two callers cannot both take the last bytes.
        let admission = Admission { space: Arc::clone(self), bytes: AtomicU64::new(bytes) };
        let before = self.reserved.fetch_add(bytes, Ordering::AcqRel);
        let taken = before.saturating_add(bytes);
        let owed = if self.ballast.is_there() { 0 } else { BALLAST_BYTES };
        let least = self.free_bytes_min.saturating_add(owed);
        if self.free_bytes()?.checked_sub(taken).is_none_or(|left| left < least) {
            return Err(Error::DiskFull);
        }
        Ok(admission)
    }

    /// Bytes free on the disk and in the database, reserved ones not deducted.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let on_disk = self.blobs.free_bytes()?;
        Ok(on_disk.saturating_add(self.free_page_bytes.load(Ordering::Relaxed)))
    }

    /// True if `bytes` can be written and the watermark stays free.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        let taken = self.reserved.load(Ordering::Acquire).saturating_add(bytes);
        let left = self.free_bytes().ok().and_then(|free| free.checked_sub(taken));
        left.is_some_and(|left| left >= self.free_bytes_min)
    }

    pub(crate) fn set_free_pages(&self, bytes: u64) {
        self.free_page_bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Admission {
    /// Ends the reservation early: the bytes have been allocated on the disk meanwhile, and would
    /// otherwise be counted twice.
    pub fn fulfilled(&self) {
        self.space.reserved.fetch_sub(self.bytes.swap(0, Ordering::AcqRel), Ordering::AcqRel);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.fulfilled();
    }
}
