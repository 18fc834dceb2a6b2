//! Segments: files in which many small bodies lie one after the other, so that one sync is enough
//! for all that came together. Each body is what a file of its own would be, trailer included.
//!
//! **Invariants**
//! - Bytes are only appended, by the one [`Packer`](super::packer::Packer) of the run that made the
//!   segment; what was given out is never written again.
//! - Room comes back by holes: the pages of a dead body are given back to the file system, and
//!   nothing is ever moved. A segment that no row names goes as a whole.
//! - A segment of this run is [in use](Blobs::is_segment_in_use) while the packer may append to it,
//!   or a body in it may still get its row.

use std::collections::HashMap;
use std::fs::File;
use std::io::IoSlice;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::fs::{self, AtFlags, FallocateFlags, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use super::location::{Extent, Location, PAGE_BYTES};
use super::name::SegmentName;
use super::{Blobs, Wait, open_below};
use crate::store::error::{Error, Result};
use crate::types::Timestamp;

/// A segment of this run, open for writing.
pub(super) struct Segment {
    pub(super) name: SegmentName,
    pub(super) file: File,
}

/// The segments of this run.
#[derive(Default)]
pub(super) struct Segments {
    /// The number of the last one. Told before the file is there, so that nobody meets a segment
    /// that is not in use yet.
    newest: AtomicU64,
    made: Mutex<HashMap<u64, Weak<Segment>>>,
}

impl Segments {
    fn made(&self) -> MutexGuard<'_, HashMap<u64, Weak<Segment>>> {
        // Each change is a single step, so a panic elsewhere cannot leave it half done.
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs {
    /// Makes a segment of this run; its entry in the folder is on disk when this returns.
    pub(super) fn create_segment(&self, number: u64) -> Result<Arc<Segment>> {
        let name = SegmentName { run: self.run, number };
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folders.segments();
        let path = self.folders.segment_path(name);
        self.segments.newest.store(number, Ordering::Release);
        let file = fs::openat(folder, name.to_string(), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|e| Error::io("make", &path, e))?;
        (self.syncs.folder)(folder.as_fd()).map_err(|error| self.sync_failed(&path, &error))?;
        let segment = Arc::new(Segment { name, file: File::from(file) });
        let mut made = self.segments.made();
        made.retain(|_, segment| segment.strong_count() > 0);
        made.insert(number, Arc::downgrade(&segment));
        drop(made);
        Ok(segment)
    }

    /// Writes `slices` one after the other and has them on disk when it returns. A failed sync is
    /// [`Error::Poisoned`].
    pub(super) fn append(
        &self,
        segment: &Segment,
        mut offset: u64,
        mut slices: &mut [IoSlice<'_>],
    ) -> Result<()> {
        let path = || self.folders.segment_path(segment.name);
        while !slices.is_empty() {
            let written =
                retry_on_intr(|| (self.syncs.append)(segment.file.as_fd(), slices, offset))
                    .map_err(|e| Error::io("write", path(), e))?;
            if written == 0 {
                let nothing = std::io::ErrorKind::WriteZero;
                return Err(Error::io("write", path(), nothing));
            }
            offset += written as u64;
            IoSlice::advance_slices(&mut slices, written);
        }
        (self.syncs.file)(segment.file.as_fd())
            .map_err(|error| self.sync_failed(&path(), &error))?;
        self.refuse_if_poisoned()
    }

    /// Opens the segment of an extent for reading.
    pub(super) fn open_segment(&self, at: Location, extent: Extent, wait: Wait) -> Result<File> {
        let name = extent.segment(at.name.run);
        let missing = |how: &str| Error::Damaged {
            what: format!("blob {}: its segment {name} {how}", at.name),
        };
        match open_below(self.folders.segments(), &name.to_string(), wait) {
            Ok(file) => Ok(file),
            Err(Errno::NOENT) => Err(missing("is not there")),
            Err(Errno::LOOP) => Err(missing("is a symbolic link")),
            Err(error) => Err(Error::io("open", self.folders.segment_path(name), error)),
        }
    }

    /// Gives the room of an extent back. That its segment is gone already is success. Not synced:
    /// what a power cut brings back is a gap of an ended run's segment, and swept.
    pub(super) fn punch(&self, run: u64, extent: Extent) -> Result<()> {
        let name = extent.segment(run);
        if !extent.is_sound() {
            return Err(Error::Damaged {
                what: format!("segment {name}: no blob is at {extent:?}"),
            });
        }
        match self.open_to_punch(name)? {
            Some(file) => {
                let bytes = extent.pages * PAGE_BYTES;
                self.punch_bytes(&file, name, extent.offset(), bytes).map(drop)
            }
            None => Ok(()),
        }
    }

    /// For drop, which can tell nobody: gives back the room of a body that got no row.
    pub(super) fn take_back_or_log(&self, segment: &Segment, at: Location) {
        let Some(extent) = at.extent else { return };
        let bytes = extent.pages * PAGE_BYTES;
        let punched = self.punch_bytes(&segment.file, segment.name, extent.offset(), bytes);
        if let Err(error) = punched {
            tracing::warn!(name = %at.name, %error, "bytes without a row stay until a sweep");
        }
    }

    /// Gives back what is stored in these pages of an ended run's segment, but for holes that are
    /// there already. Gives the number of bytes.
    pub fn punch_gap(&self, name: SegmentName, gap: std::ops::Range<u64>) -> Result<u64> {
        assert!(name.run != self.run, "a segment of this run is still written to");
        let Some(file) = self.open_to_punch(name)? else { return Ok(0) };
        let first = name.pages().start;
        let (mut next, end) = ((gap.start - first) * PAGE_BYTES, (gap.end - first) * PAGE_BYTES);
        let mut punched = 0;
        while next < end {
            let data = match fs::seek(&file, SeekFrom::Data(next)) {
                Ok(data) if data < end => data,
                // No data before the end of the gap, or none at all.
                Ok(_) | Err(Errno::NXIO) => break,
                Err(error) => return Err(self.segment_error("look at", name, error)),
            };
            let hole = fs::seek(&file, SeekFrom::Hole(data))
                .map_err(|error| self.segment_error("look at", name, error))?;
            let until = hole.min(end).max(data + 1);
            if !self.punch_bytes(&file, name, data, until - data)? {
                break;
            }
            punched += until - data;
            next = until;
        }
        Ok(punched)
    }

    fn open_to_punch(&self, name: SegmentName) -> Result<Option<File>> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = self.folders.segments();
        match fs::openat(folder, name.to_string(), flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.segment_error("open", name, error)),
        }
    }

    /// `false` where the file system has no holes: there the room comes back with the segment.
    fn punch_bytes(&self, file: &File, name: SegmentName, offset: u64, bytes: u64) -> Result<bool> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match retry_on_intr(|| fs::fallocate(file, flags, offset, bytes)) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(false),
            Err(error) => Err(self.segment_error("punch a hole in", name, error)),
        }
    }

    /// Whether a segment of this run may still get bytes, or bytes in it a row. Whoever is told
    /// that it does not, and sees after this that no row names it, may remove it.
    pub fn is_segment_in_use(&self, name: SegmentName) -> bool {
        name.run == self.run
            && (name.number >= self.segments.newest.load(Ordering::Acquire)
                || self.segments.made().get(&name.number).is_some_and(|s| s.strong_count() > 0))
    }

    /// When a segment was written to, or a hole was made in it, for the last time; `None` when it
    /// is not there.
    pub fn segment_touched(&self, name: SegmentName) -> Result<Option<Timestamp>> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        match fs::statat(self.folders.segments(), name.to_string(), flags) {
            Ok(stat) => {
                let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
                Ok(Some(Timestamp::from_millis(seconds.saturating_mul(1000))))
            }
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(self.segment_error("look at", name, error)),
        }
    }

    /// Removes a segment. That it is gone already is success.
    pub fn remove_segment(&self, name: SegmentName) -> Result<()> {
        match fs::unlinkat(self.folders.segments(), name.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.segment_error("remove", name, error)),
        }
    }

    /// Moves a segment to `quarantine/`. That it is gone already is success.
    pub fn quarantine_segment(&self, name: SegmentName) -> Result<()> {
        self.folders.quarantine_segment(name)
    }

    fn segment_error(&self, doing: &'static str, name: SegmentName, error: Errno) -> Error {
        Error::io(doing, self.folders.segment_path(name), error)
    }
}
