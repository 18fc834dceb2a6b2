//! Admission: reservation of disk space for bodies, in steps ahead of their bytes.
//!
//! Free bytes are those of the file system plus SQLite's free pages (which the database reuses
//! without growing), minus reservations. The file system is asked each time: it takes a
//! microsecond, and a disk can fill up while a cached answer is used.
//!
//! **Invariants**
//! - A body is refused at once if its announced length does not fit. Beyond that, room is held for
//!   at most [`AHEAD_BYTES_MAX`] that have not arrived: a client that announces much and sends
//!   nothing takes no more.
//! - The steps of one user take at most half of the room that they leave, unless they are of
//!   [`AHEAD_BYTES_MIN`]: other users always find room.
//! - While the ballast is removed, its space is kept for operations that free space: new bodies
//!   are refused until it could be written again. Else they would use it up, and deletes would
//!   fail.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::ballast::{BALLAST_BYTES, Ballast};
use crate::store::blobs::files::Blobs;
use crate::store::error::{Error, Result};
use crate::types::OBJECT_BYTES_MAX;

/// Bytes first reserved for a body of unknown length.
const UNKNOWN_LENGTH_BYTES: u64 = 8 << 20;
/// Most bytes of a body that are reserved before they arrive.
const AHEAD_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a body that are reserved at a time by a user who has used up the share.
const AHEAD_BYTES_MIN: u64 = 1 << 20;

/// Counter of free and reserved bytes.
pub(crate) struct Space {
    blobs: Arc<Blobs>,
    ballast: Arc<Ballast>,
    free_bytes_min: u64,
    /// Bytes that are reserved here and not yet allocated on the disk.
    reserved: AtomicU64,
    /// Bytes of the steps of each user, by id.
    steps_of: Mutex<HashMap<String, u64>>,
    /// Bytes of SQLite's free pages, set by the checkpoint thread.
    free_page_bytes: AtomicU64,
}

/// Disk space of one body, until this is dropped.
pub struct Admission {
    space: Arc<Space>,
    user: String,
    /// Announced bytes of the body.
    length: Option<u64>,
    /// Bytes of the body for which room was found, from its start.
    covered: u64,
    /// Bytes of the last step, which count on the user's share.
    step: u64,
    /// Bytes of the last step that are not yet allocated on the disk.
    reserved: u64,
}

impl Space {
    pub(crate) fn new(blobs: Arc<Blobs>, ballast: Arc<Ballast>, free_bytes_min: u64) -> Self {
        let (reserved, free_page_bytes) = Default::default();
        let steps_of = Mutex::default();
        Self { blobs, ballast, free_bytes_min, reserved, steps_of, free_page_bytes }
    }

    /// Admits a body of `length` bytes (`None`: unknown) of a user, and reserves its first step.
    /// [`Error::DiskFull`] when less than the watermark would be left.
    pub(crate) fn admit(self: &Arc<Self>, user: &str, length: Option<u64>) -> Result<Admission> {
        let length = length.map(|length| length.min(OBJECT_BYTES_MAX));
        let mut admission = Admission {
            space: Arc::clone(self),
            user: user.to_owned(),
            length,
            covered: 0,
            step: 0,
            reserved: 0,
        };
        admission.reserve(0, length.unwrap_or(UNKNOWN_LENGTH_BYTES))?;
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

    /// Bytes above the watermark that are free and not reserved.
    fn room(&self) -> Result<u64> {
        let owed = if self.ballast.is_there() { 0 } else { BALLAST_BYTES };
        let least = self.free_bytes_min.saturating_add(owed);
        let taken = self.reserved.load(Ordering::Acquire).saturating_add(least);
        Ok(self.free_bytes()?.saturating_sub(taken))
    }
}

impl Admission {
    /// Announced bytes of the body.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Bytes of the body for which room was found, from its start.
    pub(crate) fn covered(&self) -> u64 {
        self.covered
    }

    /// Reserves the next step, so that `bytes` of the body are covered; those before it have
    /// arrived. [`Error::DiskFull`] when less than the watermark would be left.
    pub(crate) fn extend(&mut self, bytes: u64) -> Result<()> {
        self.release();
        self.reserve(bytes, 0)
    }

    /// Reserves a step if there is room for `least`.
    fn reserve(&mut self, bytes: u64, least: u64) -> Result<()> {
        let wanted = match self.length {
            Some(length) => length.saturating_sub(self.covered).min(AHEAD_BYTES_MAX),
            None => UNKNOWN_LENGTH_BYTES,
        };
        let needed = bytes.saturating_sub(self.covered);
        let space = &self.space;
        // Held while room is compared and taken: two callers cannot both take the last bytes.
        let mut steps_of = space.steps_of.lock();
        let room = space.room()?;
        let taken = steps_of.get(&self.user).copied().unwrap_or(0);
        let share = room.saturating_add(taken) / 2;
        let step = wanted.min(share.saturating_sub(taken).max(AHEAD_BYTES_MIN)).max(needed);
        if room < step.max(least) {
            return Err(Error::DiskFull);
        }
        if step > 0 {
            match steps_of.get_mut(&self.user) {
                Some(taken) => *taken += step,
                None => drop(steps_of.insert(self.user.clone(), step)),
            }
            space.reserved.fetch_add(step, Ordering::AcqRel);
        }
        (self.step, self.reserved) = (step, step);
        self.covered += step;
        Ok(())
    }

    /// Ends the reservation of the step early: its bytes are allocated on the disk, and would
    /// otherwise be counted twice. They still count on the user's share.
    pub(crate) fn allocated(&mut self) {
        self.space.reserved.fetch_sub(std::mem::take(&mut self.reserved), Ordering::AcqRel);
    }

    fn release(&mut self) {
        self.allocated();
        let step = std::mem::take(&mut self.step);
        let mut steps_of = self.space.steps_of.lock();
        if let Some(taken) = steps_of.get_mut(&self.user) {
            *taken -= step;
            if *taken == 0 {
                steps_of.remove(&self.user);
            }
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.release();
    }
}
