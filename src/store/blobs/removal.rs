//! Removal of blobs, extents and segments, and the quarantine.
//!
//! Nothing here is synced: what a power cut brings back belongs to an ended run, and is swept.

use std::fs::File;
use std::sync::atomic::Ordering;

use rustix::fs::{self, AtFlags, FallocateFlags, Mode, OFlags, SeekFrom};
use rustix::io::{Errno, retry_on_intr};

use super::files::Blobs;
use super::location::{Extent, Location, PAGE_BYTES};
use super::name::{BlobName, SegmentName};
use super::segments::Segment;
use crate::store::error::{Error, Result};
use crate::types::Timestamp;

impl Blobs {
    /// Removes a blob, and gives its room back. That it is gone already is success.
    pub fn remove(&self, at: Location) -> Result<()> {
        match at.extent {
            None => self.unlink(at.name),
            Some(extent) => self.punch(at.name.run, extent),
        }
    }

    /// Removes the file of a blob. Open readers keep their bytes. Not synced: a file that a power
    /// cut brings back is garbage of an ended run, and swept.
    fn unlink(&self, name: BlobName) -> Result<()> {
        let folder = self.folders.of(name)?;
        match fs::unlinkat(&folder.fd, name.to_string(), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove", self.path(name), error)),
        }
    }

    /// Removes a blob in a `Drop`, which cannot return an error: what is left is swept after the
    /// next start.
    pub(super) fn remove_or_log(&self, at: Location) {
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

    /// Frees the pages of an extent. A missing segment is success. Not synced: what a power cut
    /// brings back is a gap in a segment of an ended run, and swept.
    fn punch(&self, run: u64, extent: Extent) -> Result<()> {
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

    /// Frees the pages of a body without a row, in a `Drop`, which cannot return an error.
    pub(super) fn take_back_or_log(&self, segment: &Segment, at: Location) {
        let Some(extent) = at.extent else { return };
        let bytes = extent.pages * PAGE_BYTES;
        let punched = self.punch_bytes(&segment.file, segment.name, extent.offset(), bytes);
        if let Err(error) = punched {
            tracing::warn!(name = %at.name, %error, "bytes without a row stay until a sweep");
        }
    }

    /// Frees the data in these pages of a segment of an ended run, except existing holes. Returns
    /// the number of bytes.
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

    /// True if a segment of this run may still get bytes, or a body in it a row. A caller may
    /// remove a segment that is not in use and, after this call, has no rows.
    pub fn is_segment_in_use(&self, name: SegmentName) -> bool {
        name.run == self.run
            && (name.number >= self.segments.newest.load(Ordering::Acquire)
                || self.segments.made().get(&name.number).is_some_and(|s| s.strong_count() > 0))
    }

    /// Time of the last write to a segment, or of the last hole; `None` if it does not exist.
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
