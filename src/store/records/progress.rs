//! Progress of open uploads, for operators.

use super::declared::Declaration;
use super::uploads::UploadRecord;
use crate::types::{PartNumber, Timestamp, UploadId};

/// Progress of an open upload.
#[derive(Clone, Debug)]
pub struct UploadProgress {
    /// The upload.
    pub upload: UploadRecord,
    /// `None` for an upload of plain S3.
    pub declaration: Option<Declaration>,
    /// Time of the last activity: a part, a pause, another creator.
    pub last_active: Timestamp,
    /// Number of stored parts.
    pub parts: u16,
    /// Their bytes.
    pub received_bytes: u64,
    /// True for a deduplicated upload: its parts are the declared ones, in one run.
    pub is_deduplicated: bool,
}

/// A page of open uploads, by key, then by initiation.
#[derive(Clone, Debug)]
pub struct ProgressPage {
    /// The uploads.
    pub uploads: Vec<UploadProgress>,
    /// True if more follow.
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

/// Run of stored parts with consecutive numbers.
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
    /// Progress of the upload.
    pub progress: UploadProgress,
    /// The runs: ascending, merged.
    pub runs: Vec<PartRun>,
    /// First part of the next page, if more runs exist than were asked for.
    pub next: Option<PartNumber>,
}
