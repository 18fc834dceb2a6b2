//! Origin of a blob, and the record that its trailer holds.

use super::name::BlobName;
use crate::digest::Digests;
use crate::types::{ObjectKey, PartNumber, UploadId};

/// Bucket, key and part that a blob was made for. Its trailer keeps them, so that a lost database can
/// be rebuilt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobOrigin {
    /// The bucket's id.
    pub bucket: i64,
    /// The object's key.
    pub key: ObjectKey,
    /// The upload and the part's number; `None` for PutObject and copies.
    pub part: Option<(UploadId, PartNumber)>,
}

/// Contents of a blob's trailer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobRecord {
    /// Name of the blob, the same as the file's.
    pub name: BlobName,
    /// Bucket, key and part.
    pub origin: BlobOrigin,
    /// Length and digests of the plain bytes.
    pub digests: Digests,
}
