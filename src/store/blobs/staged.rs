//! Bytes that have arrived and are safe, but that no row names yet.
//!
//! **Invariant:** what a [`StagedBlob`] has on disk is synced, entry and all, and exactly one owner
//! decides about it: dropped, it goes; [kept](StagedBlob::keep), or lost in a panic, it stays.

use std::sync::Arc;

use bytes::Bytes;

use super::segments::Segment;
use super::{BlobName, Blobs, Location};
use crate::digest::Digests;
use crate::types::BlobId;

/// Where the bytes of a staged blob are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home<'a> {
    /// In memory, to be written into SQLite with the row.
    Inline(&'a Bytes),
    /// On disk, synced.
    Disk(Location),
}

/// A whole body with its digests, safe on disk (or small and in memory), without a row yet.
/// Dropped without [`keep`](Self::keep), it is removed from the disk.
pub struct StagedBlob {
    digests: Digests,
    place: Place,
}

enum Place {
    Memory(BlobId, Bytes),
    File(Arc<Blobs>, BlobName),
    /// The segment is in use for as long as this may get its row.
    Packed(Arc<Blobs>, Arc<Segment>, Location),
    /// What is on disk is no longer ours.
    Kept,
}

impl StagedBlob {
    /// A small body that SQLite will hold. Asserts that the digests are of that many bytes.
    pub(crate) fn inline(id: BlobId, bytes: Bytes, digests: Digests) -> Self {
        assert_eq!(bytes.len() as u64, digests.length, "digests of other bytes");
        Self { digests, place: Place::Memory(id, bytes) }
    }

    /// A synced file.
    pub(super) fn file(blobs: Arc<Blobs>, name: BlobName, digests: Digests) -> Self {
        Self { digests, place: Place::File(blobs, name) }
    }

    /// A synced extent of a segment.
    pub(super) fn packed(
        blobs: Arc<Blobs>,
        segment: Arc<Segment>,
        at: Location,
        digests: Digests,
    ) -> Self {
        Self { digests, place: Place::Packed(blobs, segment, at) }
    }

    /// The blob's id; the same as in the file's name.
    pub fn id(&self) -> BlobId {
        match &self.place {
            Place::Memory(id, _) => *id,
            Place::File(_, name) => name.id,
            Place::Packed(_, _, at) => at.name.id,
            Place::Kept => unreachable!("keep takes the blob away"),
        }
    }

    /// Length and digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Where the bytes are. By reference, so that a job may be run again.
    pub fn home(&self) -> Home<'_> {
        match &self.place {
            Place::Memory(_, bytes) => Home::Inline(bytes),
            Place::File(_, name) => Home::Disk(Location::from(*name)),
            Place::Packed(_, _, at) => Home::Disk(*at),
            Place::Kept => unreachable!("keep takes the blob away"),
        }
    }

    /// The row is committed, or its fate is unknown: what is on disk stays.
    pub fn keep(mut self) {
        self.place = Place::Kept;
    }
}

impl Drop for StagedBlob {
    fn drop(&mut self) {
        // Under a panic nobody has decided: the row may be committed. The next start will see.
        if std::thread::panicking() {
            return;
        }
        match &self.place {
            Place::File(blobs, name) => blobs.remove_or_log(Location::from(*name)),
            Place::Packed(blobs, segment, at) => blobs.take_back_or_log(segment, *at),
            Place::Memory(..) | Place::Kept => {}
        }
    }
}

impl std::fmt::Debug for StagedBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StagedBlob({}, {} bytes)", self.id(), self.digests.length)
    }
}
