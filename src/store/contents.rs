//! Contents found by their bytes: search, proof of possession, parts and objects by reference.

pub(crate) mod reader;

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use self::reader::OpenObject;
use crate::access::{Bucket, ObjectPath, Permit, UploadHandle, WriteObject};
use crate::store::db::sqlite::{contents, deduplicated, objects, parts};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::handle::Store;
use crate::store::memory::pending::{Blocking, Cancellation, Pending};
use crate::store::records::contents::{
    Candidate, ExpectedAnswer, Filled, INSTANT_PARTS_MAX, InstantPart, Proven, RangesQuestion,
    Readable, Via, Wanted,
};
use crate::store::records::events::Cause;
use crate::store::records::objects::{NewObject, Published};
use crate::store::records::uploads::AddedPart;

/// Contents found by their digests. The request may not be allowed to read them: see
/// [`Candidate::granted`].
impl Store {
    /// True if contents of this bucket are stored once, for which their SHA-256 must be computed.
    pub fn stores_once(&self, bucket: &Bucket) -> bool {
        self.engine.stores_once(bucket)
    }

    /// True if this bucket accepts proof of possession instead of data.
    pub fn takes_proof(&self, bucket: &Bucket) -> bool {
        self.engine.takes_proof(bucket)
    }

    /// Live contents with these digests, whole objects; a bounded number.
    pub fn find_contents(
        &self,
        permit: &Permit<WriteObject>,
        wanted: Wanted,
    ) -> Blocking<Vec<Candidate>> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::new(move || {
            contents::find_whole(&engine.db, permit.target_bucket(), permit.user(), &wanted)
        })
    }

    /// Live single blobs with these digests, parts among them; a bounded number.
    pub fn find_blobs(
        &self,
        permit: &Permit<WriteObject>,
        wanted: Wanted,
    ) -> Blocking<Vec<Candidate>> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::new(move || {
            contents::find_blobs(&engine.db, permit.target_bucket(), permit.user(), &wanted)
        })
    }

    /// The answer to a question about the file that was found, computed from the first of `found`
    /// that is still in an object of the permit's bucket. `None` when none is, and when the bucket
    /// takes no proofs. Nothing of the file leaves but the digest.
    pub fn expected_answer(
        &self,
        permit: &Permit<WriteObject>,
        found: Vec<Candidate>,
        question: RangesQuestion,
    ) -> Blocking<Option<ExpectedAnswer>> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::cancellable(move |cancellation| {
            let bucket = permit.target_bucket();
            expected_answer(&engine, bucket, found, &question, cancellation)
        })
    }

    /// Fills an open upload with the first of these contents that can be taken and is its declared
    /// file. [`Error::NoSuchUpload`].
    pub fn fill_upload(
        &self,
        upload: &UploadHandle<WriteObject>,
        proven: Vec<Proven>,
    ) -> Pending<Filled> {
        let takes_proof = self.engine.takes_proof(upload.permit().target_bucket());
        let cause = Cause::of(upload.permit());
        deduplicated::fill(&self.engine.db, upload.path(), cause, proven, takes_proof)
    }

    /// Publishes the first of these blobs that can be taken; `None` when none can. Errors as
    /// [`Store::put_object`].
    pub fn put_object_instant(
        &self,
        permit: &Permit<WriteObject>,
        new: NewObject,
        readables: Vec<Readable>,
    ) -> Pending<Option<Published>> {
        objects::put_instant(&self.engine.db, permit.into(), new, readables)
    }

    /// Stores parts by reference, at most [`INSTANT_PARTS_MAX`] at once; `None` for each whose
    /// blobs cannot be taken. Errors as [`Store::put_part`].
    pub fn put_parts_instant(
        &self,
        upload: &UploadHandle<WriteObject>,
        parts: Vec<InstantPart>,
    ) -> Pending<Vec<Option<AddedPart>>> {
        assert!(parts.len() <= INSTANT_PARTS_MAX, "one step of the writer is bounded");
        parts::put_instant(&self.engine.db, upload.path(), parts)
    }
}

fn expected_answer(
    engine: &Arc<Engine>,
    bucket: &Bucket,
    mut found: Vec<Candidate>,
    question: &RangesQuestion,
    cancellation: &Cancellation,
) -> Result<Option<ExpectedAnswer>> {
    if !engine.takes_proof(bucket) {
        return Ok(None);
    }
    for candidate in &found {
        let Some(object) = open_found(engine, bucket, candidate)? else { continue };
        let sha256 = hash_ranges(&object, question, cancellation)?;
        let (file, size) = (candidate.sha256, candidate.size);
        found.retain(|other| (other.sha256, other.size) == (file, size));
        return Ok(Some(ExpectedAnswer::new(sha256, found)));
    }
    Ok(None)
}

/// The object of `bucket` by which a content was found; `None` when it has another content now.
fn open_found(
    engine: &Arc<Engine>,
    bucket: &Bucket,
    found: &Candidate,
) -> Result<Option<OpenObject>> {
    let Via::Object { bucket: of, key, part: None } = &found.via else { return Ok(None) };
    if of.id != bucket.id {
        return Ok(None);
    }
    let object = ObjectPath { bucket: Arc::clone(of), key: key.clone() };
    match reader::open_unsealed(engine, &object) {
        Ok((object, _)) => Ok(Some(object).filter(|object| object.content() == found.content)),
        Err(Error::NoSuchKey) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Each block is compared with its checksum, as for every answer.
fn hash_ranges(
    object: &OpenObject,
    question: &RangesQuestion,
    cancellation: &Cancellation,
) -> Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    hasher.update(question.nonce);
    for range in &question.ranges {
        let mut reader = object.reader(Some(*range))?;
        while let Some(bytes) = reader.next()? {
            cancellation.check()?;
            hasher.update(&bytes);
        }
    }
    Ok(hasher.finalize().into())
}
