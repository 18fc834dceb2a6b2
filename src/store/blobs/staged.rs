//! Bytes that have arrived and are safe, but that no row names yet.

use std::sync::Arc;

use bytes::Bytes;

use super::{BlobName, Blobs};
use crate::digest::Digests;
use crate::types::BlobId;

/// Where the bytes of a staged blob are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home<'a> {
    /// In memory, to be written into SQLite with the row.
    Inline(&'a Bytes),
    /// In a synced file.
    File(BlobName),
}

/// A whole body with its digests, safe on disk (or small and in memory), without a row yet.
/// Dropped without [`keep`](Self::keep), its file is unlinked.
pub struct StagedBlob {
    id: BlobId,
    digests: Digests,
    bytes: Option<Bytes>,
    file: Option<(Arc<Blobs>, BlobName)>,
}

impl StagedBlob {
    /// A small body that SQLite will hold. Asserts that the digests are of that many bytes.
    pub fn inline(bytes: Bytes, digests: Digests) -> Self {
        assert_eq!(bytes.len() as u64, digests.length, "digests of other bytes");
        Self { id: BlobId::new(), digests, bytes: Some(bytes), file: None }
    }
    /// The blob's id; the same in the file's name.
    pub fn id(&self) -> BlobId {
        self.id
    }
    /// Length and digests.
    pub fn digests(&self) -> &Digests {
        &self.digests
    }
    /// Where the bytes are. By reference, so that a job may be run again.
    pub fn home(&self) -> Home<'_> {
        match (&self.bytes, &self.file) {
            (Some(bytes), _) => Home::Inline(bytes),
            (None, Some((_, name))) => Home::File(*name),
            (None, None) => unreachable!(),
        }
    }
    /// The row is committed, or its fate is unknown: the file stays.
    pub fn keep(mut self) {
        self.file = None;
    }
}
