//! Segments: files of many small bodies, so that one sync is enough for all that arrive together. A
//! body has the same bytes as a file of its own, trailer included.
//!
//! **Invariants**
//! - Segments are append-only. Only the packer of the run that created a segment writes to it.
//! - The pages of a dead body are freed by punching a hole; nothing is moved. A segment without
//!   rows is removed as a whole.
//! - A segment of this run is in use (`Blobs::is_segment_in_use`) while the packer may append to
//!   it, or a body in it may still get its row.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Weak;
use std::sync::atomic::AtomicU64;

use parking_lot::{Mutex, MutexGuard};

use super::name::SegmentName;

/// A segment of this run, open for writing.
pub(super) struct Segment {
    pub(super) name: SegmentName,
    pub(super) file: File,
}

/// The segments of this run.
#[derive(Default)]
pub(super) struct Segments {
    /// Number of the newest segment. Stored before its file is created, so that every existing
    /// segment of the packer is in use.
    pub(super) newest: AtomicU64,
    made: Mutex<HashMap<u64, Weak<Segment>>>,
}

impl Segments {
    pub(super) fn made(&self) -> MutexGuard<'_, HashMap<u64, Weak<Segment>>> {
        self.made.lock()
    }
}
