//! Contents that are found by what they are, not by a name: what is looked for, what was found, and
//! what of it the request may read.
//!
//! **Invariants**
//! - A [`Readable`] is made from a permit to get the object by which its content was found, or for
//!   a part of an open upload of the same principal; in no other way. The transaction that takes
//!   the reference looks again whether it is still so.
//! - A [`Proven`] is taken only by an open upload of the bucket in which it was found, and only if
//!   that bucket is one that takes proofs.

use std::sync::Arc;

use super::Store;
use super::content::{self, OpenObject};
use super::declared::Declaration;
use super::error::{Error, Result};
use super::meta::{ContentId, born, contents, objects};
use super::pending::Pending;
use super::records::{AddedPart, NewObject, Published};
use crate::access::{Action, Bucket, Permit, User};
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::types::{BlobId, ObjectKey, PartNumber, UploadId};

/// Smaller contents are not worth an answer: neither found nor stored once.
pub const SHARED_BYTES_MIN: u64 = 64 << 10;

/// Parts that one transaction fills.
pub const INSTANT_PARTS_MAX: usize = 64;

/// Which content is looked for, and where.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The SHA-256 of all its bytes.
    pub sha256: [u8; 32],
    /// Its bytes.
    pub size: u64,
    /// A checksum that it must have, besides those that all have.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// Only objects of the same bucket whose keys begin with one of these; `None`: all objects.
    pub prefixes: Option<Vec<String>>,
}

/// By what a content was found.
#[derive(Clone, Debug)]
pub(super) enum Via {
    /// An object that has it; or that has the whole blob as its part of this number.
    Object { bucket: Arc<Bucket>, key: ObjectKey, part: Option<(UploadId, PartNumber)> },
    /// A part of an open upload of this user's.
    Part { upload: UploadId, number: PartNumber, user: Arc<User> },
}

/// A content that was found, which the request may not be allowed to read.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub(super) sha256: [u8; 32],
    pub(super) size: u64,
    pub(super) content: ContentId,
    pub(super) digests: Option<Digests>,
    pub(super) via: Via,
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

    /// The content as one that the holder of `permit` may read; `None` when the permit is for
    /// something else, or is missing where one is needed.
    pub fn granted(self, permit: Option<&Permit>) -> Option<Readable> {
        let is_granted = match &self.via {
            Via::Object { bucket, .. } => permit.is_some_and(|permit| {
                permit.action() == Action::GetObject && permit.bucket().id == bucket.id
            }),
            Via::Part { .. } => true,
        };
        is_granted.then_some(Readable(self))
    }

    /// The content as one whose possession was proven. The caller has checked the proof.
    pub fn proven(self) -> Proven {
        Proven(Readable(self))
    }
}

/// A content whose bytes the request has: it proved it, or it would have to send them.
#[derive(Clone, Debug)]
pub struct Proven(pub(super) Readable);

/// What became of an upload whose whole file was proven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filled {
    /// It is complete, as if it had been born so.
    Instant,
    /// It has parts already: the rest is to be sent.
    HasParts,
    /// None of the contents is alive, and in an object of the bucket, any more.
    Gone,
}

/// A content that this request may read at this moment.
#[derive(Clone, Debug)]
pub struct Readable(pub(super) Candidate);

impl Readable {
    /// The digests of a single blob.
    pub fn digests(&self) -> Option<&Digests> {
        self.0.digests.as_ref()
    }

    pub(super) fn content(&self) -> ContentId {
        self.0.content
    }

    /// Whether the whole content is the file that was declared.
    pub(super) fn is(&self, declaration: &Declaration) -> bool {
        declaration.digests.sha256 == Some(self.0.sha256)
            && declaration.layout.is_some_and(|layout| layout.size() == self.0.size)
            && match (declaration.digests.md5, &self.0.digests) {
                (Some(md5), Some(digests)) => md5 == digests.md5,
                // Nobody knows: Complete will read the file.
                _ => true,
            }
    }

    /// The blob with its digests, when the content is a single one.
    pub(super) fn single(&self) -> Option<(BlobId, &Digests)> {
        match (self.0.content, &self.0.digests) {
            (ContentId::Blob(id), Some(digests)) => Some((id, digests)),
            _ => None,
        }
    }
}

/// A part that may be filled by what is there already.
#[derive(Clone, Debug)]
pub struct InstantPart {
    /// Its number.
    pub number: PartNumber,
    /// Single blobs of the same bytes.
    pub readables: Vec<Readable>,
    /// The checksum that it shall show, if the upload has no algorithm.
    pub checksum: Option<Checksum>,
}

/// Contents by their bytes. Whether the request may read what was found is not decided here: see
/// [`Candidate::granted`].
impl Store {
    /// Whether contents of this bucket are stored once, for which their SHA-256 must be computed.
    pub fn stores_once(&self, bucket: &Bucket) -> bool {
        self.engine.stores_once(bucket)
    }

    /// Whether who proves to have a content of this bucket need not send it.
    pub fn takes_proof(&self, bucket: &Bucket) -> bool {
        self.engine.takes_proof(bucket)
    }

    /// Live contents that are wholly what is wanted; a bounded number.
    pub fn find_contents(&self, permit: &Permit, wanted: &Wanted) -> Result<Vec<Candidate>> {
        contents::find_whole(&self.engine, permit, wanted)
    }

    /// Live single blobs that are what is wanted, parts among them; a bounded number.
    pub fn find_blobs(&self, permit: &Permit, wanted: &Wanted) -> Result<Vec<Candidate>> {
        contents::find_blobs(&self.engine, permit, wanted)
    }

    /// The object of the permit's bucket by which a content was found, for a challenge to be read
    /// from: nothing but a digest of it may leave. `None` when it has another content by now.
    pub fn open_found(&self, permit: &Permit, found: &Candidate) -> Result<Option<OpenObject>> {
        let Via::Object { bucket, key, part: None } = &found.via else { return Ok(None) };
        if bucket.id != permit.bucket().id || !self.engine.takes_proof(bucket) {
            return Ok(None);
        }
        match content::open(&self.engine, permit, key) {
            Ok(object) => Ok(Some(object).filter(|object| object.content() == found.content)),
            Err(Error::NoSuchKey) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an open upload complete by the first of these contents that can still be taken and is
    /// the file that it declares. [`Error::NoSuchUpload`].
    pub fn fill_upload(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        proven: Vec<Proven>,
    ) -> Pending<Filled> {
        born::fill(&self.engine, permit, key, id, proven)
    }

    /// Publishes the first of these blobs that can still be taken; `None` when none can. Errors as
    /// [`Store::put_object`].
    pub fn put_object_instant(
        &self,
        permit: &Permit,
        new: NewObject,
        readables: Vec<Readable>,
    ) -> Pending<Option<Published>> {
        objects::put_instant(&self.engine, permit, new, readables)
    }

    /// Stores parts by reference, at most [`INSTANT_PARTS_MAX`] at once; `None` for each whose
    /// blobs cannot be taken any more. Errors as [`Store::put_part`].
    pub fn put_parts_instant(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        parts: Vec<InstantPart>,
    ) -> Pending<Vec<Option<AddedPart>>> {
        assert!(parts.len() <= INSTANT_PARTS_MAX, "one step of the writer is bounded");
        born::put_parts(&self.engine, permit, key, id, parts)
    }
}
