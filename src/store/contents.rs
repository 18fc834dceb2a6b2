//! Contents found by their bytes: search, proof of possession, parts and objects by reference.

pub(crate) mod reader;

use self::reader::OpenObject;
use crate::access::{Bucket, ObjectPath, Permit, UploadHandle, WriteObject};
use crate::store::db::sqlite::{contents, deduplicated, objects, parts};
use crate::store::error::{Error, Result};
use crate::store::handle::Store;
use crate::store::memory::pending::{Blocking, Pending};
use crate::store::records::contents::{
    Candidate, Filled, INSTANT_PARTS_MAX, InstantPart, Proven, Readable, Via, Wanted,
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

    /// Live contents that are wholly what is wanted; a bounded number.
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

    /// Live single blobs that are what is wanted, parts among them; a bounded number.
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

    /// The object of the permit's bucket by which a content was found, for a challenge to be read
    /// from: nothing but a digest of it may leave. `None` when it has another content by now.
    pub fn open_found(
        &self,
        permit: &Permit<WriteObject>,
        found: &Candidate,
    ) -> Result<Option<OpenObject>> {
        let Via::Object { bucket, key, part: None } = &found.via else { return Ok(None) };
        if bucket.id != permit.target_bucket().id || !self.engine.takes_proof(bucket) {
            return Ok(None);
        }
        let object = ObjectPath { bucket: bucket.clone(), key: key.clone() };
        match reader::open_unsealed(&self.engine, &object) {
            Ok((object, _)) => Ok(Some(object).filter(|object| object.content() == found.content)),
            Err(Error::NoSuchKey) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes an open upload complete by the first of these contents that can still be taken and is
    /// the file that it declares. [`Error::NoSuchUpload`].
    pub fn fill_upload(
        &self,
        upload: &UploadHandle<WriteObject>,
        proven: Vec<Proven>,
    ) -> Pending<Filled> {
        let takes_proof = self.engine.takes_proof(upload.permit().target_bucket());
        let cause = Cause::of(upload.permit());
        deduplicated::fill(&self.engine.db, upload.path(), cause, proven, takes_proof)
    }

    /// Publishes the first of these blobs that can still be taken; `None` when none can. Errors as
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
    /// blobs cannot be taken any more. Errors as [`Store::put_part`].
    pub fn put_parts_instant(
        &self,
        upload: &UploadHandle<WriteObject>,
        parts: Vec<InstantPart>,
    ) -> Pending<Vec<Option<AddedPart>>> {
        assert!(parts.len() <= INSTANT_PARTS_MAX, "one step of the writer is bounded");
        parts::put_instant(&self.engine.db, upload.path(), parts)
    }
}
