//! Open uploads as an operator looks at them, and what the operator does with them.

use std::sync::Arc;

use crate::access::{Bucket, Permit, User};
#[cfg(doc)]
use crate::store::Error;
use crate::store::db::sqlite::{pause, progress};
use crate::store::error::Result;
use crate::store::handle::Store;
use crate::store::memory::pending::Pending;
use crate::store::records::{PartMap, ProgressPage, ProgressQuery};
use crate::types::{BucketName, ObjectKey, PartNumber, Timestamp, UploadId};

impl Store {
    /// The buckets in which the user may do anything, by name, from the name `from` on; at most
    /// `max`. Each is still to be decided about.
    pub fn buckets_in_sight(&self, user: &User, from: &str, max: usize) -> Vec<Arc<Bucket>> {
        self.engine.directory().buckets_in_sight(user, from, max)
    }

    /// Where an open upload is. It tells nothing else, and whoever asks needs a permit for more.
    pub fn locate_upload(&self, id: UploadId) -> Result<Option<(BucketName, ObjectKey)>> {
        progress::locate(&self.engine, id)
    }

    /// A page of open uploads. Its cost is bounded, whatever they hold.
    pub fn upload_progress(&self, permit: &Permit, query: &ProgressQuery) -> Result<ProgressPage> {
        progress::page(&self.engine, permit, query)
    }

    /// The runs of parts of one upload from part `from` on, at most `max`. [`Error::NoSuchUpload`].
    pub fn part_map(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        from: PartNumber,
        max: usize,
    ) -> Result<PartMap> {
        progress::map(&self.engine, permit, key, id, from, max)
    }

    /// Has the time until an open upload expires begin anew. [`Error::NoSuchUpload`].
    pub fn extend_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        pause::extend(&self.engine, permit, key, id)
    }

    /// Drops an open upload to which nothing has happened since `idle_since`; tells whether it did.
    pub fn drop_idle_upload(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        idle_since: Timestamp,
    ) -> Pending<bool> {
        pause::drop_idle(&self.engine, permit, key, id, idle_since)
    }
}
