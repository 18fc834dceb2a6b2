//! Room on the disk: what admission may still give away.
//!
//! Free bytes are those of the file system plus SQLite's free pages (which the database fills again
//! without growing), minus what is reserved for bodies on their way in.
//!
//! **Invariant:** a look at the file system is believed for a while, and everything that was
//! written meanwhile is held against it: however fast bytes come, they cannot pass the watermark
//! between two looks.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::blobs::Blobs;
use super::error::{Error, Result};
use crate::types::OBJECT_BYTES_MAX;

/// How long one look at the file system is believed.
const LOOK_AGE_MAX: Duration = Duration::from_secs(1);
/// What is reserved for a body of unknown length, in bytes.
const UNKNOWN_LENGTH_BYTES: u64 = 8 << 20;

/// Counts free and reserved bytes.
pub(crate) struct Space {
    blobs: Arc<Blobs>,
    free_bytes_min: u64,
    reserved: AtomicU64,
    /// Bytes written since the last look, which did not see them on the disk.
    unseen: AtomicU64,
    /// Bytes of SQLite's free pages, told by the checkpoint thread.
    free_page_bytes: AtomicU64,
    looked: Mutex<Option<(Instant, u64)>>,
}

/// Room on the disk, reserved until this is dropped; dropping it gives the room back.
pub struct Admission {
    space: Arc<Space>,
    bytes: AtomicU64,
}

impl Space {
    pub(crate) fn new(blobs: Arc<Blobs>, free_bytes_min: u64) -> Self {
        Self {
            blobs,
            free_bytes_min,
            reserved: AtomicU64::new(0),
            unseen: AtomicU64::new(0),
            free_page_bytes: AtomicU64::new(0),
            looked: Mutex::new(None),
        }
    }

    /// Reserves `bytes`. [`Error::DiskFull`] when less than the watermark would be left.
    pub(crate) fn admit(self: &Arc<Self>, bytes: Option<u64>) -> Result<Admission> {
        let bytes = bytes.unwrap_or(UNKNOWN_LENGTH_BYTES).min(OBJECT_BYTES_MAX);
        // Reserved first, then judged: two that race cannot both take the last room.
        let admission = Admission { space: Arc::clone(self), bytes: AtomicU64::new(bytes) };
        let before = self.reserved.fetch_add(bytes, Ordering::AcqRel);
        let taken = before.saturating_add(bytes);
        if self.free_bytes()?.checked_sub(taken).is_none_or(|left| left < self.free_bytes_min) {
            return Err(Error::DiskFull);
        }
        Ok(admission)
    }

    /// Bytes free on the disk and in the database, reserved ones not deducted.
    pub(crate) fn free_bytes(&self) -> Result<u64> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let on_disk = match *looked {
            Some((at, bytes)) if at.elapsed() < LOOK_AGE_MAX => bytes,
            _ => {
                // Forgotten before the look: what ends in between counts twice, never not at all.
                self.unseen.store(0, Ordering::Release);
                let bytes = self.blobs.free_bytes()?;
                *looked = Some((Instant::now(), bytes));
                bytes
            }
        };
        let on_disk = on_disk.saturating_sub(self.unseen.load(Ordering::Acquire));
        Ok(on_disk.saturating_add(self.free_page_bytes.load(Ordering::Relaxed)))
    }

    /// Whether a body of so many bytes would be admitted.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        let taken = self.reserved.load(Ordering::Acquire).saturating_add(bytes);
        let left = self.free_bytes().ok().and_then(|free| free.checked_sub(taken));
        left.is_some_and(|left| left >= self.free_bytes_min)
    }

    pub(crate) fn tell_free_pages(&self, bytes: u64) {
        self.free_page_bytes.store(bytes, Ordering::Relaxed);
    }
}

impl Admission {
    /// Ends the reservation: the bytes stand on the disk now, or the disk has set their space
    /// aside, and the next look will see them.
    pub fn fulfilled(&self) {
        let bytes = self.bytes.swap(0, Ordering::AcqRel);
        // Added before it is taken away: others may count it twice, never not at all.
        self.space.unseen.fetch_add(bytes, Ordering::AcqRel);
        self.space.reserved.fetch_sub(bytes, Ordering::AcqRel);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.space.reserved.fetch_sub(*self.bytes.get_mut(), Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_since_the_last_look_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(folder.path(), 1).unwrap();
        // Far from every edge, for other programs write to the disk, too.
        let free = blobs.free_bytes().unwrap();
        let (bytes, min) = (free / 5 * 2, free / 2);
        let space = Arc::new(Space::new(blobs, min));
        drop(space.admit(Some(bytes)).unwrap());
        space.admit(Some(bytes)).expect("the room was given back").fulfilled();
        assert!(matches!(space.admit(Some(bytes)), Err(Error::DiskFull)));
        assert!(space.has_room_for(free / 100), "a refusal takes no room");
        // The next look finds that nothing was written.
        std::thread::sleep(LOOK_AGE_MAX);
        let held = space.admit(Some(bytes)).unwrap();
        assert!(!space.has_room_for(bytes));
        held.fulfilled();
        assert!(!space.has_room_for(bytes));
        std::thread::sleep(LOOK_AGE_MAX);
        assert!(space.has_room_for(bytes));
    }
}
