//! Buckets. Reads are answered from memory.

use std::sync::Arc;

use super::db::sqlite::buckets;
use super::handle::Store;
use super::memory::pending::Pending;
use crate::access::{Bucket, CreateBucket, DeleteBucket, ListBuckets, Permit, User};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::records::accounts::CreatedBucket;
use crate::types::BucketName;

impl Store {
    /// The bucket of that name.
    pub fn bucket(&self, name: &BucketName) -> Option<Arc<Bucket>> {
        self.engine.directory().bucket(name)
    }

    /// Page of the buckets of the permit's user: at most `max` whose names begin with `prefix` and
    /// sort after `after`, and true if more follow.
    pub fn buckets(
        &self,
        permit: &Permit<ListBuckets>,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> (Vec<Arc<Bucket>>, bool) {
        self.engine.directory().buckets(&permit.user().id, prefix, after, max)
    }

    /// Creates the permit's bucket, or returns the existing one of that name. [`Error::NotFound`]
    /// if the owner does not exist, [`Error::TooManyBuckets`].
    pub fn create_bucket(
        &self,
        permit: &Permit<CreateBucket>,
        region: &str,
    ) -> Pending<CreatedBucket> {
        buckets::create(&self.engine.db, permit.bucket_name().clone(), permit.user(), region)
    }

    /// Deletes an empty bucket; open uploads are dropped with it. [`Error::BucketNotEmpty`].
    pub fn delete_bucket(&self, permit: &Permit<DeleteBucket>) -> Pending<()> {
        buckets::delete(&self.engine.db, Arc::clone(permit.bucket()))
    }

    /// Buckets in which the user may do anything, by name, from the name `from` on; at most `max`.
    /// Each still needs a decision.
    pub fn buckets_in_sight(&self, user: &User, from: &str, max: usize) -> Vec<Arc<Bucket>> {
        self.engine.directory().buckets_in_sight(user, from, max)
    }
}
