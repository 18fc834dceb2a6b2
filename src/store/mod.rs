//! The object store: SQLite for metadata, immutable files for bytes. It knows no HTTP and no XML.
//!
//! **The door.** A handler asks [`Store`] for a verb; one verb is one transaction (or one short
//! snapshot). No transaction, SQL or SQLite type crosses this door, so a second engine can be put
//! beside SQLite without a change above.
//!
//! **From the ground up**, without circles: `records` and [`error`], what goes in and out; `blobs`,
//! `directory`, `targets`, `watchers`, `pins`, `space`; in `meta` the writer, its queue and jobs,
//! the readers; `engine`, which holds all of these; in `meta` the nouns, and between them `content`
//! and `verify`, which read the bytes that objects and parts point at; `gc`, `sweep` and `check`;
//! here and in `verbs` the door. `engine/start` alone reaches up: it sets all the threads going.
//!
//! **Invariants**
//! - The row is the only commit point: bytes are in their file, synced, before the row that names
//!   them; a file without a row is garbage, a row without its file is an alarm.
//! - Zero is final: the transaction that takes a reference count to 0 marks the content dead;
//!   nothing revives it.
//! - Every verb on an upload checks in its own transaction that the upload is open.
//! - A verb that names a bucket takes the [`Permit`] for it.

mod ballast;
mod bell;
pub mod blobs;
mod check;
mod content;
mod directory;
mod engine;
pub mod error;
mod gc;
mod meta;
mod pending;
mod pins;
mod records;
mod remembered;
mod space;
mod sweep;
mod targets;
#[cfg(test)]
mod tests;
mod verbs;
mod verify;
mod watchers;

use std::sync::Arc;

use bytes::Bytes;

pub use blobs::{BlobOrigin, BlobWriter, PACKED_BYTES_MAX, StagedBlob};
pub use content::{ContentReader, OpenObject};
pub use error::{Error, Result};
pub use pending::Pending;
pub use records::*;
pub use space::Admission;
pub use watchers::UploadWatch;

use self::engine::Engine;
use self::meta::{
    accounts, blocks, bucket_configurations, buckets, complete, listing, objects, parts, states,
    uploads,
};
use crate::access::{Bucket, Credential, Owner, Permit, User};
use crate::digest::{Checksum, Digests};
use crate::types::{BucketName, ObjectKey, PartNumber, Timestamp, UploadId, WriteCondition};

/// The store. Cheap to clone; every clone is the same store. When the last clone is dropped without
/// [`Store::close`], its threads stop and the WAL stays for the next start.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    /// Ends the threads with the last clone: an open reader may keep the engine for longer.
    _life: Arc<Life>,
}

struct Life(Arc<Engine>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.halt();
    }
}

/// The life of a store.
impl Store {
    /// Takes the folder's lock, recovers, and starts the writer, checkpoint and GC threads.
    /// [`Error::Locked`], [`Error::NewerSchema`], [`Error::Refused`].
    pub fn open(options: Options) -> Result<Self> {
        let engine = Engine::open(options)?;
        Ok(Self { _life: Arc::new(Life(Arc::clone(&engine))), engine })
    }

    /// Answers what waits for the writer, moves the WAL into the database and stops the threads.
    /// Later verbs fail with [`Error::Closed`].
    pub fn close(&self) {
        self.engine.close();
    }

    /// How the store is; cheap enough for a health check.
    pub fn health(&self) -> Health {
        self.engine.health()
    }
}

/// Accounts: reads are answered from memory.
impl Store {
    /// The access key with its secret and user, also when it is disabled.
    pub fn credential(&self, access_key_id: &str) -> Option<Arc<Credential>> {
        self.engine.directory().credential(access_key_id)
    }

    /// Makes a user with a first key. [`Error::Exists`] when id, name, e-mail or key is taken.
    pub fn create_user(&self, new: NewUser) -> Pending<(Arc<User>, Arc<Credential>)> {
        accounts::create_user(&self.engine, new)
    }

    /// Deletes a user and its keys. [`Error::Refused`] for root and for an owner of buckets.
    pub fn delete_user(&self, name: &str) -> Pending<()> {
        accounts::delete_user(&self.engine, name)
    }

    /// All users, by name.
    pub fn users(&self) -> Vec<Arc<User>> {
        self.engine.directory().users()
    }

    /// The user of that name.
    pub fn user(&self, name: &str) -> Option<Arc<User>> {
        self.engine.directory().user(name)
    }

    /// Makes an access key (id, secret), random if none is given.
    pub fn create_key(
        &self,
        user_name: &str,
        key: Option<(String, String)>,
    ) -> Pending<Arc<Credential>> {
        accounts::create_key(&self.engine, user_name, key)
    }

    /// Enables or disables a key. [`Error::NotFound`].
    pub fn set_key_enabled(&self, access_key_id: &str, enabled: bool) -> Pending<()> {
        accounts::set_key_enabled(&self.engine, access_key_id, enabled)
    }

    /// Deletes a key. [`Error::NotFound`].
    pub fn delete_key(&self, access_key_id: &str) -> Pending<()> {
        accounts::delete_key(&self.engine, access_key_id)
    }

    /// All keys, or those of one user, by id.
    pub fn keys(&self, user_name: Option<&str>) -> Vec<Arc<Credential>> {
        self.engine.directory().keys(user_name)
    }

    /// The user as an owner; a deleted user has an empty display name.
    pub fn owner(&self, user_id: &str) -> Owner {
        self.engine.directory().owner(user_id)
    }
}

/// Buckets: reads are answered from memory.
impl Store {
    /// The bucket of that name.
    pub fn bucket(&self, name: &BucketName) -> Option<Arc<Bucket>> {
        self.engine.directory().bucket(name)
    }

    /// At most `max` buckets of one owner whose names begin with `prefix` and sort after `after`,
    /// and whether more follow.
    pub fn buckets(
        &self,
        owner_id: &str,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> (Vec<Arc<Bucket>>, bool) {
        self.engine.directory().buckets(owner_id, prefix, after, max)
    }

    /// Makes a bucket, or tells which one has the name. [`Error::NotFound`] if the owner is gone.
    pub fn create_bucket(
        &self,
        name: BucketName,
        owner: &Arc<User>,
        region: &str,
    ) -> Pending<CreatedBucket> {
        buckets::create(&self.engine, name, owner, region)
    }

    /// Deletes an empty bucket; open uploads are dropped with it. [`Error::BucketNotEmpty`].
    pub fn delete_bucket(&self, permit: &Permit) -> Pending<()> {
        buckets::delete(&self.engine, permit)
    }
}

/// Configuration of buckets: reads are answered from memory.
impl Store {
    /// The document of this kind, if one was put. [`Error::NoSuchBucket`].
    pub fn bucket_configuration(
        &self,
        permit: &Permit,
        kind: BucketConfigurationKind,
    ) -> Result<Option<Arc<BucketConfiguration>>> {
        let bucket = self.engine.require_bucket(permit)?;
        Ok(self.engine.directory().bucket_configuration(bucket.id, kind))
    }

    /// Whether any bucket has a document of any kind.
    pub fn has_bucket_configurations(&self) -> bool {
        self.engine.directory().count_bucket_configurations() > 0
    }

    /// As [`Store::bucket_configuration`], without a permit: only for rules that are asked before
    /// it is known who sends a request, or whether the bucket is there.
    pub fn bucket_rules(
        &self,
        bucket: &BucketName,
        kind: BucketConfigurationKind,
    ) -> Option<Arc<BucketConfiguration>> {
        self.engine.directory().bucket_configuration_by_name(bucket, kind)
    }

    /// Keeps a document, in place of an earlier one of its kind. It is held in memory too, so the
    /// caller bounds its length. [`Error::NoSuchBucket`].
    pub fn put_bucket_configuration(
        &self,
        permit: &Permit,
        kind: BucketConfigurationKind,
        document: Vec<u8>,
    ) -> Pending<()> {
        bucket_configurations::put(&self.engine, permit, kind, document)
    }

    /// Drops the document of this kind, if there is one. [`Error::NoSuchBucket`].
    pub fn delete_bucket_configuration(
        &self,
        permit: &Permit,
        kind: BucketConfigurationKind,
    ) -> Pending<()> {
        bucket_configurations::delete(&self.engine, permit, kind)
    }
}

/// Bytes in.
impl Store {
    /// Reserves room for a body of `bytes` (`None`: of unknown length) until the admission is
    /// dropped. [`Error::DiskFull`] below the watermark.
    pub fn admit(&self, bytes: Option<u64>) -> Result<Admission> {
        self.engine.alive()?;
        self.engine.space.admit(bytes)
    }

    /// Stores a small body beside others: at most [`PACKED_BYTES_MAX`] bytes (asserted).
    /// [`Error::DiskFull`], [`Error::Overloaded`].
    pub fn pack(&self, origin: BlobOrigin, bytes: Bytes, digests: Digests) -> Pending<StagedBlob> {
        match self.engine.alive() {
            Ok(()) => self.engine.packing.pack(origin, bytes, digests),
            Err(error) => Pending::answered(Err(error)),
        }
    }

    /// Begins a blob file.
    pub fn begin_blob(&self, origin: BlobOrigin, length: Option<u64>) -> Result<BlobWriter> {
        self.engine.alive()?;
        self.engine.blobs.create(origin, length)
    }
}

/// Objects.
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
        content::open(&self.engine, permit, key)
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

/// Uploads.
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
        blocks::missing(&self.engine, permit, key, id, from, max)
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
        blocks::compare(&self.engine, permit, key, id, claims)
    }

    /// Sees the changes of an upload from now on.
    pub fn watch_upload(&self, id: UploadId) -> UploadWatch {
        self.engine.shared.watchers.watch(id)
    }

    /// Has an open upload take no parts for now. [`Error::NoSuchUpload`].
    pub fn pause_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        states::set(&self.engine, permit, key, id, states::State::Paused)
    }

    /// Has it take parts again. [`Error::NoSuchUpload`].
    pub fn resume_upload(&self, permit: &Permit, key: &ObjectKey, id: UploadId) -> Pending<()> {
        states::set(&self.engine, permit, key, id, states::State::Uploading)
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

/// Maintenance: called by the background thread, by commands and by tests. All are blocking.
impl Store {
    /// Frees what was dropped, until nothing or only what readers pin is left. Gives the number of
    /// rows freed: parts, blobs, manifests, uploads.
    pub fn collect_garbage(&self) -> Result<u64> {
        gc::collect(&self.engine)
    }

    /// Moves files of ended server runs that no row names to `quarantine/`; gives how many.
    pub fn sweep_files(&self) -> Result<u64> {
        sweep::sweep(&self.engine)
    }

    /// Aborts uploads that were idle too long and forgets old tombstones; gives how many uploads.
    pub fn expire_uploads(&self, now: Timestamp) -> Result<u64> {
        gc::expire_uploads(&self.engine, now)
    }

    /// Checks every invariant over rows and the existence and length of files; one line for each
    /// violation.
    pub fn check(&self) -> Result<Vec<String>> {
        check::check(&self.engine, check::Depth::Trailers)
    }

    /// [`Store::check`], reading and verifying every block of every file.
    pub fn check_blocks(&self) -> Result<Vec<String>> {
        check::check(&self.engine, check::Depth::Blocks)
    }
}
