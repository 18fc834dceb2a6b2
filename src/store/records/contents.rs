//! Contents, and searches for them by digest.
//!
//! **Invariants**
//! - A [`Readable`] is made from a permit to get the object by which its content was found, or for
//!   a part of an open upload of the same principal; in no other way. The transaction that takes
//!   the reference checks the object or part again.
//! - A [`Proven`] is made from the right answer to a question about stored bytes; in no other way.
//!   It is taken only by an open upload of the bucket in which it was found, if that bucket accepts
//!   proofs.

use std::sync::Arc;

use subtle::ConstantTimeEq as _;

use super::declared::Declaration;
use crate::access::{Bucket, Permit, ReadObject, User};
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::types::{BlobId, ByteRange, ObjectKey, PartNumber, UploadId};

/// Bytes below which contents are neither found nor stored once.
pub const SHARED_BYTES_MIN: u64 = 64 << 10;

/// Parts stored by reference in one transaction.
pub const INSTANT_PARTS_MAX: usize = 64;

/// Content of an object.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) enum ContentId {
    /// One blob, in SQLite or in a file.
    Blob(BlobId),
    /// The listed parts of a completed upload.
    Manifest(UploadId),
}

impl ContentId {
    pub(crate) fn kind(self) -> i64 {
        match self {
            Self::Blob(_) => 1,
            Self::Manifest(_) => 2,
        }
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        match self {
            Self::Blob(id) => *id.as_bytes(),
            Self::Manifest(id) => *id.as_bytes(),
        }
    }
}

/// Content to search for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The SHA-256 of all its bytes.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub size: u64,
    /// Checksum that it must have, besides those that all have.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// Prefixes of keys in the same bucket to search; `None`: all objects.
    pub prefixes: Option<Vec<String>>,
}

/// Object or part by which a content was found.
#[derive(Clone, Debug)]
pub(in crate::store) enum Via {
    /// An object that has it, or that has the whole blob as its part of this number.
    Object { bucket: Arc<Bucket>, key: ObjectKey, part: Option<(UploadId, PartNumber)> },
    /// A part of an open upload of this user.
    Part { upload: UploadId, number: PartNumber, user: Arc<User> },
}

/// A content found, which the request may not be allowed to read.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(in crate::store) sha256: [u8; 32],
    pub(in crate::store) size: u64,
    pub(in crate::store) content: ContentId,
    pub(in crate::store) digests: Option<Digests>,
    pub(in crate::store) via: Via,
}

impl Candidate {
    /// The object that must be readable; `None` for a part of an open upload of the same
    /// principal.
    pub fn object(&self) -> Option<(&Arc<Bucket>, &ObjectKey)> {
        match &self.via {
            Via::Object { bucket, key, .. } => Some((bucket, key)),
            Via::Part { .. } => None,
        }
    }

    /// Its bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The content, readable by the holder of `permit`. `None` when the permit is for another
    /// object, or is missing where one is needed.
    pub fn granted(self, permit: Option<&Permit<ReadObject>>) -> Option<Readable> {
        let decided_on = match &self.via {
            Via::Object { bucket, key, .. } => permit
                .filter(|permit| permit.target_bucket().id == bucket.id && permit.key() == key)?
                .decided_on(),
            Via::Part { .. } => None,
        };
        Some(Readable { candidate: self, decided_on })
    }
}

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 32;

/// A question about a file: the SHA-256 of a nonce and of some of its bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RangesQuestion {
    /// First bytes of the hashed data.
    pub nonce: [u8; NONCE_BYTES],
    /// The ranges, in the order in which they are hashed.
    pub ranges: Vec<ByteRange>,
}

/// The expected answer to a [`RangesQuestion`], with the contents that have these bytes. The store
/// computes it from stored bytes, and it can only be compared.
#[derive(Debug)]
pub struct ExpectedAnswer {
    sha256: [u8; 32],
    contents: Vec<Candidate>,
}

impl ExpectedAnswer {
    /// Called by the store, which computed `sha256` from the bytes of `contents`.
    pub(crate) fn new(sha256: [u8; 32], contents: Vec<Candidate>) -> Self {
        Self { sha256, contents }
    }

    /// The contents, as proven by the right answer; `None` for a wrong one. Takes the same time for
    /// each wrong answer.
    pub fn prove(self, answer: &[u8; 32]) -> Option<Vec<Proven>> {
        let proven = |candidate| Proven(Readable { candidate, decided_on: None });
        bool::from(self.sha256.ct_eq(answer))
            .then(|| self.contents.into_iter().map(proven).collect())
    }
}

/// A content whose possession the request has proven: see [`ExpectedAnswer::prove`].
#[derive(Clone, Debug)]
pub struct Proven(pub(in crate::store) Readable);

/// Outcome of filling an upload with proven contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filled {
    /// It is complete.
    Instant,
    /// It has parts already: the rest must be sent.
    HasParts,
    /// None of the contents is alive and in an object of the bucket.
    Gone,
}

/// A content that this request may read now.
#[derive(Clone, Debug)]
pub struct Readable {
    pub(in crate::store) candidate: Candidate,
    /// Sequence number of the version of its object that was decided on; `None` when the decision
    /// did not depend on it.
    pub(in crate::store) decided_on: Option<i64>,
}

impl Readable {
    /// The digests of a single blob.
    pub fn digests(&self) -> Option<&Digests> {
        self.candidate.digests.as_ref()
    }

    pub(in crate::store) fn content(&self) -> ContentId {
        self.candidate.content
    }

    /// True if the whole content is the declared file.
    pub(in crate::store) fn is(&self, declaration: &Declaration) -> bool {
        declaration.digests.sha256 == Some(self.candidate.sha256)
            && declaration.layout.is_some_and(|layout| layout.size() == self.candidate.size)
            && match (declaration.digests.md5, &self.candidate.digests) {
                (Some(md5), Some(digests)) => md5 == digests.md5,
                // Unknown: Complete will read the file.
                _ => true,
            }
    }

    /// The blob with its digests, when the content is a single one.
    pub(in crate::store) fn single(&self) -> Option<(BlobId, &Digests)> {
        match (self.candidate.content, &self.candidate.digests) {
            (ContentId::Blob(id), Some(digests)) => Some((id, digests)),
            _ => None,
        }
    }
}

/// Part that can be stored by reference.
#[derive(Clone, Debug)]
pub struct InstantPart {
    /// Its number.
    pub number: PartNumber,
    /// Single blobs of the same bytes.
    pub readables: Vec<Readable>,
    /// Checksum that it shows, if the upload has no algorithm.
    pub checksum: Option<Checksum>,
}
