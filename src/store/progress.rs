//! Open uploads as an operator looks at them: how far they are, and what they hold.

use std::sync::Arc;

use super::declared::Declaration;
use super::meta::{progress, states};
use super::records::UploadRecord;
use super::{Pending, Result, Store};
use crate::access::{Bucket, Permit, User};
use crate::types::{BucketName, ObjectKey, PartNumber, Timestamp, UploadId};

/// How far an open upload is.
#[derive(Clone, Debug)]
pub struct UploadProgress {
    /// The upload.
    pub upload: UploadRecord,
    /// `None` for an upload of plain S3.
    pub declaration: Option<Declaration>,
    /// When anything happened to it: a part, a pause, another creator.
    pub last_active: Timestamp,
    /// Parts that are there.
    pub parts: u16,
    /// Their bytes.
    pub received_bytes: u64,
    /// Whether it was born complete, and nothing was sent since: then the parts are those that it
    /// declared, in one run.
    pub is_whole: bool,
}

/// A page of open uploads, by key, then by initiation.
#[derive(Clone, Debug)]
pub struct ProgressPage {
    /// The uploads.
    pub uploads: Vec<UploadProgress>,
    /// Whether more follow.
    pub truncated: bool,
}

/// A page of open uploads is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct ProgressQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Only what follows this upload.
    pub after: Option<(String, UploadId)>,
    /// At most so many uploads. A page ends earlier when they have many parts.
    pub max: usize,
}

/// Parts that are there, in one run of numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartRun {
    /// The first number.
    pub first: PartNumber,
    /// The last number.
    pub last: PartNumber,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// The parts of one upload.
#[derive(Clone, Debug)]
pub struct PartMap {
    /// How far it is.
    pub progress: UploadProgress,
    /// The runs: ascending, merged.
    pub runs: Vec<PartRun>,
    /// Where the next page begins, if there are more runs than were asked for.
    pub next: Option<PartNumber>,
}

/// Progress of uploads.
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
    ///
    /// [`Error::NoSuchUpload`]: super::Error::NoSuchUpload
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
    ///
    /// [`Error::NoSuchUpload`]: super::Error::NoSuchUpload
    pub fn extend_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        states::extend(&self.engine, permit, key, id)
    }

    /// Drops an open upload to which nothing has happened since `idle_since`; tells whether it did.
    pub fn drop_idle_upload(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        idle_since: Timestamp,
    ) -> Pending<bool> {
        states::drop_idle(&self.engine, permit, key, id, idle_since)
    }
}
