//! Uploads and their parts.

use super::contents::Readable;
use super::declared::{Declaration, WholeDigests};
use crate::access::Owner;
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType, ObjectChecksum};
use crate::events::CallbackVar;
use crate::types::{
    ETag, ObjectHeaders, ObjectKey, PartNumber, Timestamp, UploadId, WriteCondition,
};

/// Settings of CreateMultipartUpload.
#[derive(Clone, Debug, Default)]
pub struct NewUpload {
    /// Headers and user metadata of the object to be.
    pub headers: ObjectHeaders,
    /// The checksum algorithm and type, if the client named one.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// Callback variable that the events of this upload repeat.
    pub callback_var: Option<CallbackVar>,
    /// Declaration of the file, beyond S3.
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
    /// Time of initiation.
    pub initiated: Timestamp,
    /// Initiator. The object will belong to the bucket's owner.
    pub initiator: Owner,
    /// Checksum declared at Create.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumType)>,
    /// Time of its pause, if it is paused.
    pub paused: Option<Timestamp>,
    /// Time at which it is aborted without further activity.
    pub expires: Timestamp,
}

/// An open upload with what it declared.
#[derive(Clone, Debug)]
pub struct OpenUpload {
    /// The upload.
    pub upload: UploadRecord,
    /// `None` for an upload of plain S3.
    pub declaration: Option<Declaration>,
    /// True for a deduplicated upload.
    pub is_instant: bool,
}

/// Result of Create.
#[derive(Clone, Debug)]
pub struct CreatedUpload {
    /// The upload.
    pub upload: UploadRecord,
    /// True if it existed before, with the same declaration.
    pub is_resumed: bool,
    /// True if it is complete already.
    pub is_instant: bool,
}

/// A page of open uploads is asked for like this.
#[derive(Clone, Debug, Default)]
pub struct UploadsQuery {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Delimiter, as in [`ListQuery`](super::lists::ListQuery).
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
    /// Time at which it was stored.
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
    /// True if more follow.
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
    /// The listed parts, in the order of the request, which is checked here.
    pub parts: Vec<ListedPart>,
    /// If-Match and If-None-Match.
    pub condition: WriteCondition,
    /// `x-amz-mp-object-size`: what the sum of sizes must be.
    pub object_size: Option<u64>,
    /// `x-amz-checksum-type`: what the upload must have been created with.
    pub checksum_type: Option<ChecksumType>,
    /// `x-amz-checksum-*`: the object's checksum; a COMPOSITE one with or without `-N`.
    pub checksum: Option<Checksum>,
    /// Digests of the whole file, besides those declared at Create.
    pub digests: WholeDigests,
}

/// Answer of Complete, the same for every repetition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completed {
    /// The object's tag.
    pub etag: ETag,
    /// The object's checksum.
    pub checksum: Option<ObjectChecksum>,
}
