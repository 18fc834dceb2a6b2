//! Objects: new, published, looked up, listed.

use std::sync::Arc;

use super::events::Cause;
use crate::access::{ObjectPath, ObjectRight, Owner, Permit};
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType, ObjectChecksum};
use crate::events::{CallbackVar, EventName};
use crate::types::{ETag, ObjectHeaders, ObjectKey, Timestamp, WriteCondition};

/// Object in answers of HEAD and GET.
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

/// Object in lists.
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

/// New current object, without its content.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Headers and user metadata.
    pub headers: ObjectHeaders,
    /// The checksum that S3 will show.
    pub checksum: Option<ObjectChecksum>,
    /// If-Match and If-None-Match, checked in the transaction.
    pub condition: WriteCondition,
    /// Event of the object.
    pub event: EventName,
    /// Callback variable that the event repeats.
    pub callback_var: Option<CallbackVar>,
}

/// Published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its tag.
    pub etag: ETag,
    /// Its Last-Modified.
    pub modified: Timestamp,
}

/// Outcome for one key of DeleteObjects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeleteOutcome {
    /// The object is deleted.
    Deleted,
    /// There was no object.
    Absent,
    /// Nothing was done: the object is not the version that the permit was decided on.
    Changed,
}

/// A part of a stored multipart object, for `?partNumber=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartSpan {
    /// Offset in the object.
    pub first: u64,
    /// Bytes.
    pub size: u64,
    /// Its checksum in the algorithm of the object's.
    pub checksum: Option<Checksum>,
}

/// Object that a verb writes, the cause, and the version that the permit was decided on.
#[derive(Clone, Debug)]
pub(crate) struct WriteTarget {
    pub(crate) object: ObjectPath,
    pub(crate) cause: Cause,
    /// Sequence number of the version that the decision depended on, if it did.
    pub(crate) decided_on: Option<i64>,
}

impl<R: ObjectRight> From<&Permit<R>> for WriteTarget {
    fn from(permit: &Permit<R>) -> Self {
        Self {
            object: permit.object().clone(),
            cause: Cause::of(permit),
            decided_on: permit.decided_on(),
        }
    }
}
