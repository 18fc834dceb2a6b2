//! Staged blobs: bytes that are safe, but have no row yet.
//!
//! **Invariant:** the bytes of a [`StagedBlob`] on disk are synced, with the entry of their file.
//! It has one owner: dropped, the bytes are removed; [kept](StagedBlob::keep), or lost in a panic,
//! they stay.

use std::sync::Arc;

use bytes::Bytes;

use super::files::Blobs;
use super::location::Location;
use super::name::BlobName;
use super::segments::Segment;
use crate::digest::Digests;
use crate::types::BlobId;

/// Location of the bytes of a staged blob.
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
    bytes_at: StagedBytes,
}

enum StagedBytes {
    Memory(BlobId, Bytes),
    File(Arc<Blobs>, BlobName),
    /// The segment is in use for as long as this may get its row.
    Packed(Arc<Blobs>, Arc<Segment>, Location),
    /// The bytes on disk belong to a row.
    Kept,
}

impl StagedBlob {
    /// A small body that SQLite will hold. Asserts that the digests are of that many bytes.
    pub(crate) fn inline(id: BlobId, bytes: Bytes, digests: Digests) -> Self {
        assert_eq!(bytes.len() as u64, digests.length, "digests of other bytes");
        Self { digests, bytes_at: StagedBytes::Memory(id, bytes) }
    }

    /// A synced file.
    pub(super) fn file(blobs: Arc<Blobs>, name: BlobName, digests: Digests) -> Self {
        Self { digests, bytes_at: StagedBytes::File(blobs, name) }
    }

    /// A synced extent of a segment.
    pub(super) fn packed(
        blobs: Arc<Blobs>,
        segment: Arc<Segment>,
        at: Location,
        digests: Digests,
    ) -> Self {
        Self { digests, bytes_at: StagedBytes::Packed(blobs, segment, at) }
    }

    /// The blob's id; the same as in the file's name.
    pub fn id(&self) -> BlobId {
        match &self.bytes_at {
            StagedBytes::Memory(id, _) => *id,
            StagedBytes::File(_, name) => name.id,
            StagedBytes::Packed(_, _, at) => at.name.id,
            StagedBytes::Kept => unreachable!("keep takes the blob away"),
        }
    }

    /// Length and digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }

    /// Location of the bytes. By reference, so that a job may be run again.
    pub fn home(&self) -> Home<'_> {
        match &self.bytes_at {
            StagedBytes::Memory(_, bytes) => Home::Inline(bytes),
            StagedBytes::File(_, name) => Home::Disk(Location::from(*name)),
            StagedBytes::Packed(_, _, at) => Home::Disk(*at),
            StagedBytes::Kept => unreachable!("keep takes the blob away"),
        }
    }

    /// Keeps the bytes on disk: the row is committed, or the outcome of its commit is unknown.
    pub fn keep(mut self) {
        self.bytes_at = StagedBytes::Kept;
    }
}

impl Drop for StagedBlob {
    fn drop(&mut self) {
        // Under a panic the row may be committed: the next start decides.
        if std::thread::panicking() {
            return;
        }
        match &self.bytes_at {
            StagedBytes::File(blobs, name) => blobs.remove_or_log(Location::from(*name)),
            StagedBytes::Packed(blobs, segment, at) => blobs.take_back_or_log(segment, *at),
            StagedBytes::Memory(..) | StagedBytes::Kept => {}
        }
    }
}

impl std::fmt::Debug for StagedBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StagedBlob({}, {} bytes)", self.id(), self.digests.length)
    }
}
