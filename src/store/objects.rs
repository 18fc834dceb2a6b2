//! Objects: published, looked up, opened, copied, deleted, listed.

use super::contents::reader::{self, ObjectParts, OpenObject};
use super::db::sqlite::{listing, objects};
use super::error::{Error, Result};
use super::handle::Store;
use super::memory::pending::{Blocking, Pending};
use crate::access::{
    DeleteObject, ListObjects, ObjectFacts, ObjectPath, Permit, ReadAccess, ReadAttributes,
    ReadObject, Sealed, SeesObject, Undecided, WriteObject,
};
use crate::store::blobs::staged::StagedBlob;
use crate::store::records::lists::{ListQuery, Page};
use crate::store::records::objects::{
    DeleteOutcome, ListedObject, NewObject, ObjectRecord, Published,
};
use crate::types::{ETag, WriteCondition};

/// The answer of a verb that reads an object by the right `R`.
type SealedRead<T, R> = Pending<Sealed<T, R>>;

impl Store {
    /// Publishes `staged` as the current object of the permit's key. [`Error::NoSuchBucket`],
    /// [`Error::PreconditionFailed`], [`Error::NoSuchKey`] (`If-Match` on a missing key),
    /// [`Error::ObjectChanged`].
    pub fn put_object(
        &self,
        permit: &Permit<WriteObject>,
        new: NewObject,
        staged: StagedBlob,
    ) -> Pending<Published> {
        let once = self.engine.stores_once(permit.target_bucket());
        objects::put(&self.engine.db, permit.into(), new, staged, once)
    }

    /// Record of one object, without its content. [`Error::NoSuchKey`].
    pub fn object<R: SeesObject>(&self, access: &ReadAccess<R>) -> SealedRead<ObjectRecord, R> {
        let found = self.record_and_facts(access.object());
        Pending::answered(found.map(|(record, facts)| Sealed::new(record, facts)))
    }

    /// Facts of the stored object, for a decision about a write that depends on them.
    /// [`Error::NoSuchKey`].
    pub fn object_facts(&self, undecided: &Undecided) -> Pending<ObjectFacts> {
        let found = self.record_and_facts(undecided.object());
        Pending::answered(found.map(|(_, facts)| facts))
    }

    fn record_and_facts(&self, object: &ObjectPath) -> Result<(ObjectRecord, ObjectFacts)> {
        let (record, seq) = objects::record(&self.engine.db, object)?;
        let owner_id = record.owner.id.clone();
        Ok((record, ObjectFacts { path: object.clone(), seq, owner_id }))
    }

    /// One object with its content, which stays readable until the last reader is dropped, also
    /// when the key is deleted. [`Error::NoSuchKey`].
    pub fn open_object(
        &self,
        access: &ReadAccess<ReadObject>,
    ) -> SealedRead<OpenObject, ReadObject> {
        Pending::answered(reader::open(&self.engine, access.object()))
    }

    /// Record and parts of one object, without its bytes. [`Error::NoSuchKey`].
    pub fn object_parts(
        &self,
        access: &ReadAccess<ReadAttributes>,
    ) -> SealedRead<ObjectParts, ReadAttributes> {
        Pending::answered(reader::open_parts(&self.engine, access.object()))
    }

    /// ETag of the current object of a key that may be written, for an early check of conditions:
    /// the transaction checks them again. `None` when the key has no object.
    pub fn current_etag(&self, permit: &Permit<WriteObject>) -> Pending<Option<ETag>> {
        let found = match objects::record(&self.engine.db, permit.object()) {
            Ok((record, _)) => Ok(Some(record.etag)),
            Err(Error::NoSuchKey) => Ok(None),
            Err(error) => Err(error),
        };
        Pending::answered(found)
    }

    /// Deletes the object; true if it was there. [`Error::PreconditionFailed`],
    /// [`Error::NoSuchKey`] (`If-Match` on a missing key), [`Error::ObjectChanged`].
    pub fn delete_object(
        &self,
        permit: &Permit<DeleteObject>,
        condition: WriteCondition,
    ) -> Pending<bool> {
        objects::delete(&self.engine.db, permit.into(), condition)
    }

    /// Deletes objects of one bucket (asserted), in steps: atomic for each key. The outcomes are in
    /// the order of the permits.
    pub fn delete_objects(&self, permits: &[Permit<DeleteObject>]) -> Pending<Vec<DeleteOutcome>> {
        let bucket = permits.first().map(|first| first.target_bucket().id);
        let same = |permit: &Permit<DeleteObject>| Some(permit.target_bucket().id) == bucket;
        assert!(permits.iter().all(same), "all keys are in one bucket");
        objects::delete_many(&self.engine.db, permits.iter().map(Into::into).collect())
    }

    /// Publishes the content of `source` under another key, by reference; the ETag stays.
    /// Errors as [`Store::put_object`], and [`Error::NoSuchKey`] when the source was dropped.
    pub fn copy_object(
        &self,
        permit: &Permit<WriteObject>,
        new: NewObject,
        source: &OpenObject,
    ) -> Pending<Published> {
        objects::copy(&self.engine.db, permit.into(), new, source.content(), &source.record)
    }

    /// A page of keys and common prefixes, in byte order.
    pub fn list_objects(
        &self,
        permit: &Permit<ListObjects>,
        query: ListQuery,
    ) -> Blocking<Page<ListedObject>> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::new(move || listing::objects(&engine.db, permit.bucket(), &query))
    }
}
