//! Writing a blob: bytes, block CRCs, trailer, fdatasync, folder fsync.

use std::sync::Arc;

use super::{Blobs, StagedBlob};
use crate::digest::Digests;
use crate::store::error::{Error, Result};

/// A blob being written. `Send`. Dropped without [`finish`](Self::finish), its file is unlinked.
pub struct BlobWriter {
    blobs: Arc<Blobs>,
}

impl BlobWriter {
    /// Appends bytes. Blocking. After an error the writer is only good for dropping.
    /// [`Error::DiskFull`], [`Error::EntityTooLarge`] above 5 GiB.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let _ = (bytes, &self.blobs);
        Err(Error::Closed)
    }
    /// Appends the trailer and makes file and folder entry durable. Blocking. Asserts that the
    /// digests are of as many bytes as were written. A failed sync is [`Error::Poisoned`].
    pub fn finish(self, digests: Digests) -> Result<StagedBlob> {
        let _ = digests;
        Err(Error::Closed)
    }
}
