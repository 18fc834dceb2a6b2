//! The verbs of the store on uploads.

pub(crate) mod progress;
pub(crate) mod verify;

use super::blobs::StagedBlob;
use super::contents::reader::OpenObject;
use super::db::sqlite::{complete, listing, missing_parts, parts, pause, uploads};
use super::error::Result;
use super::handle::Store;
use super::memory::pending::Pending;
use super::memory::watchers::UploadWatch;
use super::records::{
    AddedPart, BlobRef, Blocks, ClaimedPart, CompleteUpload, Completed, CreatedUpload, NewUpload,
    OpenUpload, Page, PartsPage, UploadRecord, UploadsQuery,
};
use crate::access::Permit;
use crate::digest::Checksum;
#[cfg(doc)]
use crate::store::Error;
use crate::types::{ObjectKey, PartNumber, UploadId};

impl Store {
    /// Opens an upload; one that declares a file by size and SHA-256 may be open already, with
    /// equal settings, and is given then. [`Error::NoSuchBucket`].
    pub fn create_upload(
        &self,
        permit: &Permit,
        key: ObjectKey,
        new: NewUpload,
    ) -> Pending<CreatedUpload> {
        uploads::create(&self.engine, permit, key, new)
    }

    /// An open upload of this bucket and key. [`Error::NoSuchUpload`].
    pub fn upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Result<OpenUpload> {
        uploads::open(&self.engine, permit, key, id)
    }

    /// What of an open upload is missing from part `from` on: at most `max` gaps.
    /// [`Error::NoSuchUpload`].
    pub fn missing_blocks(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        from: PartNumber,
        max: usize,
    ) -> Result<Blocks> {
        missing_parts::missing(&self.engine, permit, key, id, from, max)
    }

    /// What of an open upload is missing when parts that are not as claimed count as missing too.
    /// [`Error::NoSuchUpload`]; [`Error::PartMisfit`] for a number that the file does not have.
    pub fn compare_blocks(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        claims: &[ClaimedPart],
    ) -> Result<Blocks> {
        missing_parts::compare(&self.engine, permit, key, id, claims)
    }

    /// Sees the changes of an upload from now on.
    pub fn watch_upload(&self, id: UploadId) -> UploadWatch {
        self.engine.shared.watchers.watch(id)
    }

    /// Has an open upload take no parts for now. [`Error::NoSuchUpload`].
    pub fn pause_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        pause::set(&self.engine, permit, key, id, pause::State::Paused)
    }

    /// Has it take parts again. [`Error::NoSuchUpload`].
    pub fn resume_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        pause::set(&self.engine, permit, key, id, pause::State::Uploading)
    }

    /// Stores a part, in place of an earlier one of its number. [`Error::NoSuchUpload`],
    /// [`Error::PartMisfit`].
    pub fn put_part(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        number: PartNumber,
        staged: StagedBlob,
    ) -> Pending<AddedPart> {
        parts::put(&self.engine, permit, key, (id, number), staged)
    }

    /// Stores a whole blob of `source` as a part, by reference. `checksum` is what the part shall
    /// show, if `blob` does not have it. [`Error::NoSuchUpload`], [`Error::NoSuchKey`] when the
    /// source was dropped.
    #[allow(clippy::too_many_arguments)] // Each names another thing.
    pub fn copy_part(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        number: PartNumber,
        source: &OpenObject,
        blob: BlobRef,
        checksum: Option<Checksum>,
    ) -> Pending<AddedPart> {
        parts::copy(&self.engine, permit, key, (id, number), source, blob, checksum)
    }

    /// At most `max` parts with numbers above `after`. [`Error::NoSuchUpload`].
    pub fn list_parts(
        &self,
        permit: &Permit,
        key: &ObjectKey,
        id: UploadId,
        after: u16,
        max: usize,
    ) -> Result<PartsPage> {
        parts::list(&self.engine, permit, key, id, after, max)
    }

    /// A page of open uploads, by key, then by initiation.
    pub fn list_uploads(
        &self,
        permit: &Permit,
        query: &UploadsQuery,
    ) -> Result<Page<UploadRecord>> {
        listing::uploads(&self.engine, permit, query)
    }

    /// Whether [`Self::complete_upload`] has anything to say of this upload but
    /// [`Error::NoSuchUpload`]: it is open, or was completed not long ago.
    pub fn knows_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Result<bool> {
        complete::is_known(&self.engine, permit, key, id)
    }

    /// Joins the listed parts and publishes the object. Blocking: for a thread that may wait.
    /// A repetition gives the same answer and publishes nothing.
    pub fn complete_upload(&self, permit: &Permit, request: CompleteUpload) -> Result<Completed> {
        complete::complete(&self.engine, permit, &request)
    }

    /// Takes one creator away from an open upload; with the last one it is dropped, and its parts.
    /// [`Error::NoSuchUpload`].
    pub fn abort_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        uploads::end(&self.engine, permit, key, id, uploads::Ending::Abort)
    }

    /// Drops an open upload and its parts, whoever else has it. [`Error::NoSuchUpload`].
    pub fn cancel_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        uploads::end(&self.engine, permit, key, id, uploads::Ending::Cancel)
    }
}
