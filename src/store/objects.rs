//! Objects: publish, look up, open, copy, delete, list.

use super::blobs::StagedBlob;
use super::contents::reader::{self, OpenObject};
use super::db::sqlite::{listing, objects};
use super::error::Result;
use super::handle::Store;
use super::memory::pending::Pending;
use super::records::{ListQuery, ListedObject, NewObject, ObjectRecord, Page, Published};
use crate::access::Permit;
#[cfg(doc)]
use crate::store::Error;
use crate::types::{ObjectKey, WriteCondition};

impl Store {
    /// Publishes `staged` as the current object of the key. [`Error::NoSuchBucket`],
    /// [`Error::PreconditionFailed`], [`Error::NoSuchKey`] (`If-Match` on a missing key).
    pub fn put_object(
        &self,
        permit: &Permit,
        new: NewObject,
        staged: StagedBlob,
    ) -> Pending<Published> {
        objects::put(&self.engine, permit, new, staged)
    }

    /// One object without its content. [`Error::NoSuchKey`].
    pub fn object(&self, permit: &Permit, key: &ObjectKey) -> Result<ObjectRecord> {
        objects::record(&self.engine, permit, key)
    }

    /// One object with its content, which stays readable until the last reader is dropped,
    /// whatever becomes of the key. [`Error::NoSuchKey`].
    pub fn open_object(&self, permit: &Permit, key: &ObjectKey) -> Result<OpenObject> {
        reader::open(&self.engine, permit, key)
    }

    /// Deletes one key; tells whether it was there. [`Error::PreconditionFailed`],
    /// [`Error::NoSuchKey`] (`If-Match` on a missing key).
    pub fn delete_object(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        condition: WriteCondition,
    ) -> Pending<bool> {
        objects::delete(&self.engine, permit, key, condition)
    }

    /// Deletes keys, in steps: atomic for each key. Tells of each, in order, whether it was there.
    pub fn delete_objects(&self, permit: &Permit, keys: Vec<ObjectKey>) -> Pending<Vec<bool>> {
        objects::delete_many(&self.engine, permit, keys)
    }

    /// Publishes the content of `source` under another key, by reference; the ETag stays.
    /// Errors as [`Store::put_object`], and [`Error::NoSuchKey`] when the source was dropped.
    pub fn copy_object(
        &self,
        permit: &Permit,
        new: NewObject,
        source: &OpenObject,
    ) -> Pending<Published> {
        objects::copy(&self.engine, permit, new, source.content(), &source.record)
    }

    /// A page of keys and common prefixes, in byte order.
    pub fn list_objects(&self, permit: &Permit, query: &ListQuery) -> Result<Page<ListedObject>> {
        listing::objects(&self.engine, permit, query)
    }
}
