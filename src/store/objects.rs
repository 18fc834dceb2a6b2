//! Objects: published, looked up, opened, copied, deleted, listed.

use super::contents::reader::{self, OpenObject};
use super::db::sqlite::{listing, objects};
use super::error::Error;
use super::handle::Store;
use super::memory::pending::{Blocking, Pending};
use crate::access::{
    DeleteObject, ListObjects, ObjectFacts, Permit, ReadAccess, Sealed, WriteObject,
};
use crate::store::blobs::staged::StagedBlob;
use crate::store::records::lists::{ListQuery, Page};
use crate::store::records::objects::{ListedObject, NewObject, ObjectRecord, Published};
use crate::types::{ETag, WriteCondition};

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
    pub fn object(&self, access: &ReadAccess) -> Pending<Sealed<ObjectRecord>> {
        let found = objects::record(&self.engine.db, access.object());
        Pending::answered(found.map(|(record, seq)| {
            let path = access.object().clone();
            let facts = ObjectFacts { path, seq, owner_id: record.owner.id.clone() };
            Sealed::new(record, facts)
        }))
    }

    /// One object with its content, which stays readable until the last reader is dropped, also
    /// when the key is deleted. [`Error::NoSuchKey`].
    pub fn open_object(&self, access: &ReadAccess) -> Pending<Sealed<OpenObject>> {
        Pending::answered(reader::open(&self.engine, access.object()))
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

    /// Deletes objects of one bucket (asserted), in steps: atomic for each key. The answer says of
    /// each, in order, if it was there.
    pub fn delete_objects(&self, permits: &[Permit<DeleteObject>]) -> Pending<Vec<bool>> {
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
