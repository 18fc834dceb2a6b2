//! What the verbs take and give: plain values, valid by construction, free of SQL.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::declared::{Declaration, WholeDigests};
use super::instant::Readable;
use crate::access::{Bucket, Owner};
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType, ObjectChecksum};
use crate::events::{CallbackVar, EventName};
use crate::types::{
    ETag, ObjectHeaders, ObjectKey, PartNumber, Timestamp, UploadId, WriteCondition,
};

/// How to open a store. Every field is a setting of the configuration.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder; made if it is not there.
    pub data: std::path::PathBuf,
    /// Bodies up to this many bytes live in SQLite, larger ones in files.
    pub inline_bytes_max: usize,
    /// Smallest part but the last in Complete, in bytes (S3: 5 MiB).
    pub part_bytes_min: u64,
    /// Bytes read, checked and sent at once.
    pub read_unit_bytes: usize,
    /// Free bytes on the disk below which writes are refused.
    pub free_bytes_min: u64,
    /// Milliseconds after its last activity at which an open upload is aborted.
    pub upload_idle_ms_max: u64,
    /// Milliseconds after which a paused upload is aborted.
    pub upload_pause_ms_max: u64,
    /// Requests waiting for the writer above which new ones get SlowDown.
    pub writer_queue_max: usize,
    /// Bytes of WAL at which the writer itself checkpoints.
    pub wal_bytes_restart: u64,
    /// Bytes of WAL above which writes get SlowDown.
    pub wal_bytes_max: u64,
    /// Names of buckets whose contents are stored once, `*` for all.
    pub dedup_buckets: Vec<String>,
    /// Names of buckets in which a proof of possession is as good as the bytes, `*` for all.
    pub proof_buckets: Vec<String>,
    /// Who may be told of events.
    pub event_targets: Vec<EventTarget>,
}

/// A target of events, as the store knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EventTarget {
    /// Its name in the configuration.
    pub name: String,
    /// Events that may wait for it; what comes then is only counted.
    pub backlog_max: u64,
}

/// What can be configured for a bucket. The number is kept in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i64)]
pub enum BucketConfigurationKind {
    /// The rules for pages of other origins.
    Cors = 1,
    /// Who is told of which events.
    Notification = 2,
}

impl BucketConfigurationKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Cors, Self::Notification];

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == code)
    }
}

/// One document of a bucket's configuration: its bytes as they were put, and what they mean.
pub struct BucketConfiguration {
    bytes: Vec<u8>,
    meaning: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl BucketConfiguration {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, meaning: OnceLock::new() }
    }

    /// The bytes that were put.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the bytes mean, read by the first who asks. It never grows stale: what is put later is
    /// another document. Each kind of document has one type of meaning, else `None`.
    pub fn meaning<T: Any + Send + Sync>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<&T> {
        self.meaning.get_or_init(|| Box::new(read(&self.bytes))).downcast_ref()
    }
}

impl fmt::Debug for BucketConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What a document says may be a secret.
        write!(f, "BucketConfiguration({} bytes)", self.bytes.len())
    }
}

/// One object as HEAD and GET tell it.
#[derive(Clone, Debug)]
pub struct ObjectRecord {
    /// The key.
    pub key: ObjectKey,
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// Last-Modified.
    pub modified: Timestamp,
    /// Stored headers and user metadata.
    pub headers: ObjectHeaders,
    /// The checksum that S3 shows.
    pub checksum: Option<ObjectChecksum>,
    /// The owner.
    pub owner: Owner,
    /// The number of parts, for a multipart object.
    pub parts: Option<u16>,
}

/// One object as lists tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The entity tag.
    pub etag: ETag,
    /// Last-Modified.
    pub modified: Timestamp,
    /// Algorithm and type of its checksum.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// The owner.
    pub owner: Arc<Owner>,
}

/// A page of keys is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Keys that share what lies between the prefix and this are folded into one common prefix.
    pub delimiter: Option<String>,
    /// Only keys and common prefixes that sort after this one.
    pub after: Option<String>,
    /// At most so many keys and common prefixes together; 0 gives an empty, complete page.
    pub max: usize,
}

/// An entry of a page: things in key order, common prefixes among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed<T> {
    /// A key of its own.
    Item(T),
    /// A common prefix, the delimiter included.
    Prefix(String),
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries.
    pub entries: Vec<Listed<T>>,
    /// Whether more follow after the last entry.
    pub truncated: bool,
}

/// What CreateMultipartUpload fixes.
#[derive(Clone, Debug, Default)]
pub struct NewUpload {
    /// Headers and user metadata of the object to be.
    pub headers: ObjectHeaders,
    /// The checksum algorithm and type, if the client named one.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// What the client wants to be told again with the events of this upload.
    pub callback_var: Option<CallbackVar>,
    /// What is said beyond S3 of the file that is to come.
    pub declaration: Option<Declaration>,
    /// Contents that are that file, if any can still be taken.
    pub instant: Vec<Readable>,
}

/// An open upload.
#[derive(Clone, Debug)]
pub struct UploadRecord {
    /// Its id; the order of ids is the order of initiation.
    pub id: UploadId,
    /// The key it will publish.
    pub key: ObjectKey,
    /// When it was initiated.
    pub initiated: Timestamp,
    /// Who initiated it. The object will belong to the bucket's owner.
    pub initiator: Owner,
    /// What was declared at Create.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// Since when it takes no parts, if it is paused.
    pub paused: Option<Timestamp>,
    /// When it will be aborted if nothing happens to it.
    pub expires: Timestamp,
}

/// A page of open uploads is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct UploadsQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// As in [`ListQuery`].
    pub delimiter: Option<String>,
    /// Keys after this one; with `upload_id_marker` also later uploads of the same key.
    pub key_marker: Option<String>,
    /// Uploads of `key_marker` after this one; nothing without a key marker.
    pub upload_id_marker: Option<UploadId>,
    /// At most so many uploads and common prefixes together.
    pub max: usize,
}

/// One stored part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartRecord {
    /// Its number.
    pub number: PartNumber,
    /// Bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub etag: ETag,
    /// When it was stored.
    pub modified: Timestamp,
    /// The checksum: in the upload's algorithm, or in the one that came with the part.
    pub checksum: Option<Checksum>,
}

/// A part that was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddedPart {
    /// The part.
    pub part: PartRecord,
    /// The lowest number that is missing now; only of a declared upload, and if any is.
    pub next: Option<PartNumber>,
}

/// A page of ListParts.
#[derive(Clone, Debug)]
pub struct PartsPage {
    /// The upload.
    pub upload: UploadRecord,
    /// Parts in ascending order.
    pub parts: Vec<PartRecord>,
    /// Whether more follow.
    pub truncated: bool,
}

/// One `<Part>` of a Complete request.
#[derive(Clone, Debug)]
pub struct ListedPart {
    /// Its number.
    pub number: PartNumber,
    /// The ETag that the client names; `None` when it is not an ETag at all (so InvalidPart).
    pub etag: Option<ETag>,
    /// The checksums that the client names.
    pub checksums: Vec<Checksum>,
}

/// A Complete request.
#[derive(Clone, Debug)]
pub struct CompleteUpload {
    /// The key.
    pub key: ObjectKey,
    /// The upload.
    pub upload: UploadId,
    /// The listed parts, as they stand in the request (order is judged here).
    pub parts: Vec<ListedPart>,
    /// If-Match and If-None-Match.
    pub condition: WriteCondition,
    /// `x-amz-mp-object-size`: what the sum of sizes must be.
    pub object_size: Option<u64>,
    /// `x-amz-checksum-type`: what the upload must have been created with.
    pub checksum_type: Option<ChecksumType>,
    /// `x-amz-checksum-*`: the object's checksum; a COMPOSITE one with or without `-N`.
    pub checksum: Option<Checksum>,
    /// What the whole file must be, besides what was declared at Create.
    pub digests: WholeDigests,
}

/// What Complete answers, the same for every repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The object's tag.
    pub etag: ETag,
    /// The object's checksum.
    pub checksum: Option<ObjectChecksum>,
}

/// What a new current object is made with, beside its content.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// The key.
    pub key: ObjectKey,
    /// Headers and user metadata.
    pub headers: ObjectHeaders,
    /// The checksum that S3 will show.
    pub checksum: Option<ObjectChecksum>,
    /// If-Match and If-None-Match, judged in the transaction.
    pub condition: WriteCondition,
    /// What is told of it.
    pub event: EventName,
    /// What the client wants to be told again with the event.
    pub callback_var: Option<CallbackVar>,
}

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its tag.
    pub etag: ETag,
    /// Its Last-Modified.
    pub modified: Timestamp,
}

/// A part of a stored multipart object, for `?partNumber=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSpan {
    /// Where it begins in the object.
    pub first: u64,
    /// Bytes.
    pub size: u64,
    /// Its checksum in the algorithm of the object's.
    pub checksum: Option<Checksum>,
}

/// How CreateBucket ended.
#[derive(Clone, Debug)]
pub enum CreatedBucket {
    /// The bucket is new.
    Created(Arc<Bucket>),
    /// A bucket of that name was there before; its owner says whose it is.
    Exists(Arc<Bucket>),
}

/// A user to be made.
#[derive(Clone, Default)]
pub struct NewUser {
    /// The canonical id; random (64 hexadecimal digits) if none is given.
    pub id: Option<String>,
    /// The name on the command line, unique.
    pub name: String,
    /// `DisplayName`; the name if none is given.
    pub display_name: Option<String>,
    /// E-mail address, unique if given.
    pub email: Option<String>,
    /// Whether every action is allowed.
    pub root: bool,
    /// Access key id and secret of the first key; random if none are given.
    pub key: Option<(String, String)>,
}

/// How the store is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether writes are taken: not poisoned, not closed, disk not full, WAL not too long.
    pub writable: bool,
    /// Why nothing may be promised any more, if so.
    pub poisoned: Option<String>,
    /// Bytes of WAL that are not yet in the database file.
    pub wal_bytes: u64,
    /// Bytes that admission may still give away, reserved ones and the watermark not deducted.
    pub free_bytes: u64,
    /// Jobs that wait for the writer.
    pub queue_length: usize,
}
