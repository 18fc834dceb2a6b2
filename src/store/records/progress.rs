//! Open uploads as an operator looks at them: how far they are, and what they hold.

use super::declared::Declaration;
use super::uploads::UploadRecord;
use crate::types::{PartNumber, Timestamp, UploadId};

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
    pub is_deduplicated: bool,
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
