//! Progress of open uploads, reset of their expiry, and the drop of idle ones: for operators.

use crate::access::{AbortUpload, ListUploads, Permit, SeesUpload, UploadHandle, WriteObject};
use crate::store::db::sqlite::{pause, progress};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::handle::Store;
use crate::store::memory::pending::{Blocking, Pending};
use crate::store::records::events::Cause;
use crate::store::records::progress::{PartMap, ProgressPage, ProgressQuery};
use crate::types::{BucketName, ObjectKey, PartNumber, Timestamp, UploadId};

impl Store {
    /// Bucket and key of an open upload. Anything else needs a permit.
    pub fn locate_upload(&self, id: UploadId) -> Pending<Option<(BucketName, ObjectKey)>> {
        Pending::answered(progress::locate(&self.engine.db, id))
    }

    /// A page of open uploads, at a bounded cost.
    pub fn upload_progress(
        &self,
        permit: &Permit<ListUploads>,
        query: ProgressQuery,
    ) -> Blocking<ProgressPage> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::new(move || progress::page(&engine.db, permit.bucket(), &query))
    }

    /// The runs of parts of one upload from part `from` on, at most `max`. [`Error::NoSuchUpload`].
    pub fn part_map<R: SeesUpload>(
        &self,
        upload: &UploadHandle<R>,
        from: PartNumber,
        max: usize,
    ) -> Blocking<PartMap> {
        let (engine, path) = (self.engine.clone(), upload.path());
        Blocking::new(move || progress::map(&engine.db, &path, from, max))
    }

    /// Resets the expiry of an open upload. [`Error::NoSuchUpload`].
    pub fn extend_upload(&self, upload: &UploadHandle<WriteObject>) -> Pending<()> {
        pause::extend(&self.engine.db, upload.path())
    }

    /// Drops an open upload that was not active since `idle_since`; true if it was dropped.
    pub fn drop_idle_upload(
        &self,
        upload: &UploadHandle<AbortUpload>,
        idle_since: Timestamp,
    ) -> Pending<bool> {
        let cause = Cause::of(upload.permit());
        pause::drop_idle(&self.engine.db, upload.path(), cause, idle_since)
    }
}
