//! Stored blobs, as the metadata describes them.

use bytes::Bytes;

use super::location::{Extent, Location};
use super::name::BlobName;
use crate::digest::Digests;
use crate::types::BlobId;

/// A stored blob.
#[derive(Clone)]
pub(crate) struct StoredBlob {
    pub(crate) id: BlobId,
    /// The run that wrote its file; 0 when its bytes are in the database.
    pub(crate) run: u64,
    pub(crate) extent: Option<Extent>,
    pub(crate) digests: Digests,
}

/// A blob, and its bytes if they are in the database.
pub(crate) type LoadedBlob = (StoredBlob, Option<Bytes>);

impl StoredBlob {
    /// Place of its bytes on disk, when the database does not have them.
    pub(crate) fn location(&self) -> Location {
        Location { name: BlobName { run: self.run, id: self.id }, extent: self.extent }
    }
}
