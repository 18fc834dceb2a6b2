//! Uploads: created, filled with parts, looked up, watched, completed, ended.

mod complete;
pub(crate) mod progress;
pub(crate) mod verify;

use super::db::sqlite::{complete as completion, listing, missing_parts, parts, pause, uploads};
#[cfg(doc)]
use super::error::Error;
use super::handle::Store;
use super::memory::pending::{Blocking, Pending};
use super::memory::watchers::UploadWatch;
use super::records::events::Cause;
use crate::access::{AbortUpload, ListUploads, Permit, SeesUpload, UploadHandle, WriteObject};
use crate::digest::Checksum;
use crate::store::blobs::staged::StagedBlob;
use crate::store::memory::source_blob::SourceBlob;
use crate::store::records::lists::Page;
use crate::store::records::missing_parts::{Blocks, ClaimedPart};
use crate::store::records::uploads::{
    AddedPart, CompleteUpload, Completed, CreatedUpload, NewUpload, OpenUpload, PartsPage,
    UploadRecord, UploadsQuery,
};
use crate::types::{PartNumber, UploadId};

impl Store {
    /// Opens an upload of the permit's key, or joins an open one: one with the same settings that
    /// declares the same file by size and SHA-256. [`Error::NoSuchBucket`].
    pub fn create_upload(
        &self,
        permit: &Permit<WriteObject>,
        new: NewUpload,
    ) -> Pending<CreatedUpload> {
        let (object, cause) = (permit.object().clone(), Cause::of(permit));
        uploads::create(&self.engine.db, object, permit.user(), cause, new)
    }

    /// An open upload. [`Error::NoSuchUpload`].
    pub fn upload<R: SeesUpload>(&self, upload: &UploadHandle<R>) -> Pending<OpenUpload> {
        Pending::answered(uploads::open(&self.engine.db, &upload.path()))
    }

    /// Missing parts of an open upload from part `from` on: at most `max` gaps.
    /// [`Error::NoSuchUpload`].
    pub fn missing_blocks<R: SeesUpload>(
        &self,
        upload: &UploadHandle<R>,
        from: PartNumber,
        max: usize,
    ) -> Blocking<Blocks> {
        let (engine, path) = (self.engine.clone(), upload.path());
        Blocking::new(move || missing_parts::missing(&engine.db, &path, from, max))
    }

    /// Missing parts of an open upload; a part that differs from its claim counts as missing.
    /// [`Error::NoSuchUpload`]; [`Error::PartMisfit`] for a number that the file does not have.
    pub fn compare_blocks<R: SeesUpload>(
        &self,
        upload: &UploadHandle<R>,
        claims: Vec<ClaimedPart>,
    ) -> Blocking<Blocks> {
        let (engine, path) = (self.engine.clone(), upload.path());
        Blocking::new(move || missing_parts::compare(&engine.db, &path, &claims))
    }

    /// Watches an upload: the watch wakes at each change from now on.
    pub fn watch_upload(&self, id: UploadId) -> UploadWatch {
        self.engine.db.state.watchers.watch(id)
    }

    /// Pauses an open upload: it takes no parts until it is resumed. [`Error::NoSuchUpload`].
    pub fn pause_upload(&self, upload: &UploadHandle<WriteObject>) -> Pending<()> {
        let cause = Cause::of(upload.permit());
        pause::set(&self.engine.db, upload.path(), cause, pause::PauseState::Paused)
    }

    /// Resumes a paused upload. [`Error::NoSuchUpload`].
    pub fn resume_upload(&self, upload: &UploadHandle<WriteObject>) -> Pending<()> {
        let cause = Cause::of(upload.permit());
        pause::set(&self.engine.db, upload.path(), cause, pause::PauseState::Uploading)
    }

    /// Stores a part, in place of an earlier one of its number. [`Error::NoSuchUpload`],
    /// [`Error::PartMisfit`].
    pub fn put_part(
        &self,
        upload: &UploadHandle<WriteObject>,
        number: PartNumber,
        staged: StagedBlob,
    ) -> Pending<AddedPart> {
        let once = self.engine.stores_once(upload.permit().target_bucket());
        parts::put(&self.engine.db, upload.path(), number, staged, once)
    }

    /// Stores a whole blob of `source` as a part, by reference. The part shows `checksum` if `blob`
    /// does not have one. [`Error::NoSuchUpload`], [`Error::NoSuchKey`] when the source was
    /// dropped.
    pub fn copy_part(
        &self,
        upload: &UploadHandle<WriteObject>,
        number: PartNumber,
        source: SourceBlob,
        checksum: Option<Checksum>,
    ) -> Pending<AddedPart> {
        parts::copy(&self.engine.db, upload.path(), number, source, checksum)
    }

    /// Parts with numbers above `after`, at most `max`. [`Error::NoSuchUpload`].
    pub fn list_parts<R: SeesUpload>(
        &self,
        upload: &UploadHandle<R>,
        after: u16,
        max: usize,
    ) -> Blocking<PartsPage> {
        let (engine, path) = (self.engine.clone(), upload.path());
        Blocking::new(move || parts::list(&engine.db, &path, after, max))
    }

    /// A page of open uploads, by key, then by initiation.
    pub fn list_uploads(
        &self,
        permit: &Permit<ListUploads>,
        query: UploadsQuery,
    ) -> Blocking<Page<UploadRecord>> {
        let (engine, permit) = (self.engine.clone(), permit.clone());
        Blocking::new(move || listing::uploads(&engine.db, permit.bucket(), &query))
    }

    /// True if [`Self::complete_upload`] does not answer [`Error::NoSuchUpload`] for this upload:
    /// it is open, or was completed not long ago.
    pub fn knows_upload(&self, upload: &UploadHandle<WriteObject>) -> Pending<bool> {
        Pending::answered(completion::is_known(&self.engine.db, &upload.path()))
    }

    /// Joins the listed parts and publishes the object. A repetition gives the same answer and
    /// publishes nothing. [`Error::ObjectChanged`] if the permit was decided on another version of
    /// the object.
    pub fn complete_upload(
        &self,
        upload: &UploadHandle<WriteObject>,
        request: CompleteUpload,
    ) -> Blocking<Completed> {
        let (engine, upload) = (self.engine.clone(), upload.clone());
        Blocking::cancellable(move |cancellation| {
            complete::complete(&engine, &upload, &request, cancellation)
        })
    }

    /// Removes one creator from an open upload; with the last one the upload and its parts are
    /// dropped. [`Error::NoSuchUpload`].
    pub fn abort_upload(&self, upload: &UploadHandle<AbortUpload>) -> Pending<()> {
        let cause = Cause::of(upload.permit());
        uploads::end(&self.engine.db, upload.path(), cause, uploads::EndKind::Abort)
    }

    /// Drops an open upload and its parts, also if it has other creators. [`Error::NoSuchUpload`].
    pub fn cancel_upload(&self, upload: &UploadHandle<AbortUpload>) -> Pending<()> {
        let cause = Cause::of(upload.permit());
        uploads::end(&self.engine.db, upload.path(), cause, uploads::EndKind::Cancel)
    }
}
