//! Blobs of opened objects, for parts that are copied by reference.

use std::sync::Arc;

use super::pins::Pin;
use crate::digest::{Checksum, Digests};
use crate::types::BlobId;

/// Blob of an object that was opened for reading; a copied part can refer to it.
///
/// Only [`OpenObject::whole_blob`](crate::store::OpenObject::whole_blob) makes one, so nobody
/// refers to bytes that he may not read. Its bytes are kept until it is dropped.
#[derive(Clone)]
pub struct SourceBlob {
    pub(in crate::store) id: BlobId,
    pub(in crate::store) digests: Digests,
    pub(in crate::store) pin: Option<Arc<Pin>>,
}

impl SourceBlob {
    /// The checksum sent with it, in the client's algorithm.
    pub fn checksum(&self) -> Option<&Checksum> {
        self.digests.checksum.as_ref()
    }
}
