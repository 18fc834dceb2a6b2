//! Contents in the model, their references, and the files that must follow from them.
//!
//! A blob is one [`Rc`] in the model. A walk over all objects and uploads counts its references,
//! independently of the store's counters.

use std::collections::BTreeMap;
use std::rc::Rc;

use sha2::{Digest as _, Sha256};

use super::super::*;
use crate::store::records::ContentId;
use crate::types::BlobId;

/// The bytes of one PUT or part.
pub(super) struct ModelBlob {
    pub(super) id: BlobId,
    pub(super) bytes: Rc<[u8]>,
    /// True if its SHA-256 is known, so that a search can find it.
    pub(super) is_known: bool,
}

/// The listed parts of an upload that was completed.
pub(super) struct ModelManifest {
    pub(super) id: UploadId,
    pub(super) parts: BTreeMap<u16, Rc<ModelBlob>>,
    /// SHA-256 of the whole, if Complete has verified one.
    pub(super) sha256: Option<[u8; 32]>,
}

/// Content of an object.
#[derive(Clone)]
pub(super) enum Content {
    Single(Rc<ModelBlob>),
    Joined(Rc<ModelManifest>),
}

impl ModelBlob {
    /// True if a search by SHA-256 and size may find it.
    pub(super) fn can_be_found(&self) -> bool {
        self.is_known && self.bytes.len() as u64 >= SHARED_BYTES_MIN
    }

    pub(super) fn is_file(&self) -> bool {
        self.bytes.len() > PACKED_BYTES
    }

    /// Bytes of its extent; 0 when it is not packed. All keys here are short.
    pub(super) fn extent_bytes(&self) -> u64 {
        let length = self.bytes.len();
        if length <= INLINE_BYTES || length > PACKED_BYTES {
            return 0;
        }
        // The CRCs, and the index with the key that all bodies of a fixture are staged for.
        let blocks = length.div_ceil(65_536);
        ((length + 4 * (blocks + 1) + 214 + "origin".len()) as u64).next_multiple_of(4096)
    }
}

impl Content {
    pub(super) fn id(&self) -> ContentId {
        match self {
            Self::Single(blob) => ContentId::Blob(blob.id),
            Self::Joined(manifest) => ContentId::Manifest(manifest.id),
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Single(blob) => blob.bytes.to_vec(),
            Self::Joined(manifest) => join(&manifest.parts),
        }
    }

    /// The parts of an upload that was created with this content.
    pub(super) fn parts(&self) -> BTreeMap<u16, Rc<ModelBlob>> {
        match self {
            Self::Single(blob) => BTreeMap::from([(1, Rc::clone(blob))]),
            Self::Joined(manifest) => manifest.parts.clone(),
        }
    }

    /// True if a search for a whole content of these bytes may find it.
    pub(super) fn is_found_by(&self, bytes: &[u8]) -> bool {
        match self {
            Self::Single(blob) => blob.can_be_found() && *blob.bytes == *bytes,
            Self::Joined(manifest) => {
                bytes.len() as u64 >= SHARED_BYTES_MIN && manifest.sha256 == Some(sha256(bytes))
            }
        }
    }
}

/// All parts together.
pub(super) fn join(parts: &BTreeMap<u16, Rc<ModelBlob>>) -> Vec<u8> {
    parts.values().map(|part| &*part.bytes).collect::<Vec<_>>().concat()
}

/// The tag of a multipart object: the MD5 of the MD5s of its parts, and their number.
pub(super) fn joined_etag(parts: &BTreeMap<u16, Rc<ModelBlob>>) -> ETag {
    let md5s: Vec<u8> = parts.values().flat_map(|part| etag(&part.bytes).md5).collect();
    ETag { md5: digests(&md5s, None).md5, parts: Some(parts.len() as u16) }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Blobs and manifests of all objects and uploads, each with the number of its references.
#[derive(Default)]
pub(super) struct Census {
    pub(super) blobs: BTreeMap<BlobId, (Rc<ModelBlob>, i64)>,
    pub(super) manifests: BTreeMap<UploadId, i64>,
}

impl Census {
    /// Counts one reference: an object, or an upload that was created with the content.
    pub(super) fn count(&mut self, content: &Content) {
        match content {
            Content::Single(blob) => self.count_blob(blob),
            Content::Joined(manifest) => {
                let holders = self.manifests.entry(manifest.id).or_default();
                *holders += 1;
                // The manifest refers to its parts once, however many refer to the manifest.
                if *holders == 1 {
                    manifest.parts.values().for_each(|part| self.count_blob(part));
                }
            }
        }
    }

    pub(super) fn count_blob(&mut self, blob: &Rc<ModelBlob>) {
        self.blobs.entry(blob.id).or_insert_with(|| (Rc::clone(blob), 0)).1 += 1;
    }

    /// The oldest blob of these bytes that can be found.
    pub(super) fn same_as(&self, bytes: &[u8]) -> Option<&Rc<ModelBlob>> {
        let mut blobs = self.blobs.values().map(|(blob, _)| blob);
        blobs.find(|blob| blob.can_be_found() && *blob.bytes == *bytes)
    }
}
