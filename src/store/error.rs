//! Errors of the store. `ops` maps each variant to an error of S3.
//!
//! A variant carries what the client may see; a `source` is for the log alone.

use std::io;
use std::path::PathBuf;

use crate::digest::{ChecksumAlgorithm, ChecksumType};
use crate::store::records::missing_parts::Incomplete;
use crate::types::{ETag, PartNumber, Unmet};

/// Result of every fallible function of the store.
pub type Result<T> = std::result::Result<T, Error>;

/// Error of the store. Bad input and full disks are errors; a broken invariant is an assert.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bucket does not exist.
    #[error("no such bucket")]
    NoSuchBucket,
    /// DeleteBucket of a bucket that holds objects.
    #[error("the bucket is not empty")]
    BucketNotEmpty,
    /// The user owns as many buckets as a user may.
    #[error("the user owns {max} buckets, and may not own more")]
    TooManyBuckets {
        /// The limit.
        max: u64,
    },
    /// The object is not there.
    #[error("no such key")]
    NoSuchKey,
    /// The upload is not open, or belongs to another key or bucket.
    #[error("no such upload")]
    NoSuchUpload,
    /// `If-Match` or `If-None-Match` does not hold.
    #[error("the condition {condition} does not hold")]
    PreconditionFailed {
        /// The header's name, as S3 spells it in the answer's `Condition`.
        condition: &'static str,
    },
    /// A listed part was never stored, or has another ETag or checksum.
    #[error("part {number} is not there or differs from the stored one")]
    InvalidPart {
        /// The listed number.
        number: PartNumber,
        /// The ETag in the request, if it was one.
        etag: Option<String>,
        /// Ranges of a declared file that the list does not cover.
        incomplete: Option<Box<Incomplete>>,
    },
    /// A part has another size than its number must have in the declared file.
    #[error("part {number} has {size} bytes, not {expected:?}")]
    PartMisfit {
        /// The number.
        number: PartNumber,
        /// Its bytes.
        size: u64,
        /// The size that it must have; `None` when the file has no part of this number.
        expected: Option<u64>,
    },
    /// The listed parts are not the whole declared file.
    #[error("the list has {} bytes and gaps", .0.listed_bytes)]
    Incomplete(Box<Incomplete>),
    /// Complete names another digest of the whole file than Create did.
    #[error("two digests of the whole file contradict each other")]
    DigestsDiffer,
    /// The bytes of the whole file do not match a declared digest.
    #[error("the {algorithm} of the whole file is {computed}, not {expected}")]
    WholeMismatch {
        /// `MD5` or `SHA-256`.
        algorithm: &'static str,
        /// The declared digest, in hexadecimal digits.
        expected: String,
        /// The computed digest.
        computed: String,
    },
    /// The listed parts do not ascend.
    #[error("the listed parts are not in ascending order")]
    InvalidPartOrder,
    /// Complete with an empty list.
    #[error("no part is listed")]
    NoParts,
    /// A part other than the last is smaller than S3 allows.
    #[error("part {number} has {size} bytes, fewer than {min}")]
    EntityTooSmall {
        /// The part's number.
        number: PartNumber,
        /// Its bytes.
        size: u64,
        /// The smallest size allowed.
        min: u64,
        /// Its ETag.
        etag: ETag,
    },
    /// More bytes than S3 allows for one PUT, one part or one object.
    #[error("more bytes than are allowed")]
    EntityTooLarge,
    /// `x-amz-mp-object-size` is not the sum of the listed parts.
    #[error("the object has {actual} bytes, not {expected}")]
    ObjectSizeMismatch {
        /// The declared size.
        expected: u64,
        /// The sum of the parts.
        actual: u64,
    },
    /// Complete names another checksum type than the upload was created with.
    #[error("the upload's checksum type is {expected:?}, not {actual:?}")]
    ChecksumTypeMismatch {
        /// The upload's.
        expected: ChecksumType,
        /// The type in the request.
        actual: ChecksumType,
    },
    /// A listed part has no checksum of the algorithm that the upload asks for.
    #[error("part {number} lacks its {algorithm:?} checksum")]
    ChecksumMissing {
        /// The part's number.
        number: PartNumber,
        /// The upload's algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// The whole object's checksum is not the one in the request.
    #[error("the object's {algorithm:?} checksum is another")]
    ChecksumMismatch {
        /// The algorithm.
        algorithm: ChecksumAlgorithm,
    },
    /// The object is not the version that the permit was decided on.
    #[error("the object changed after it was decided about")]
    ObjectChanged,
    /// The upload changed each time that Complete had prepared it.
    #[error("a conflicting operation is in progress")]
    OperationAborted,
    /// A name or id that must be unique is taken.
    #[error("{what} exists already")]
    Exists {
        /// Name of the existing thing, for messages.
        what: String,
    },
    /// A request that the store refuses; the text gives the reason.
    #[error("{0}")]
    Refused(String),
    /// A user or an access key does not exist.
    #[error("{what} is not there")]
    NotFound {
        /// Name of the missing thing, for messages.
        what: String,
    },
    /// The disk, the quota or the reserve is full: nothing was written.
    #[error("the disk is full")]
    DiskFull,
    /// A queue is full: the caller should slow down.
    #[error("too many requests are waiting")]
    Overloaded,
    /// An earlier fsync or commit failed: nothing is acknowledged until the next start.
    #[error("the store has stopped after a failed write to disk")]
    Poisoned,
    /// The work was ended because nobody waits for its answer any more.
    #[error("nobody waits for the answer")]
    Cancelled,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// Stored bytes do not verify: a block, a trailer, a missing file or a row.
    #[error("damaged: {what}")]
    Damaged {
        /// The damaged thing and the failed check, for the log and the operator.
        what: String,
    },
    /// A system call failed.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// A verb, as in "cannot open …".
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The database engine failed. The engine knows the type of its errors.
    #[error("database: {0}")]
    Database(Box<dyn std::error::Error + Send + Sync>),
    /// Another process holds the data folder.
    #[error("{} is held by another process", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The database was written by a newer version.
    #[error("the database has schema {found}; this version knows up to {known}")]
    NewerSchema {
        /// The schema in the file.
        found: i64,
        /// The newest that this version knows.
        known: i64,
    },
}

impl From<Unmet> for Error {
    fn from(unmet: Unmet) -> Self {
        match unmet {
            Unmet::NoObject => Self::NoSuchKey,
            Unmet::IfMatch => Self::PreconditionFailed { condition: "If-Match" },
            Unmet::IfNoneMatch => Self::PreconditionFailed { condition: "If-None-Match" },
        }
    }
}

impl Error {
    /// A failed system call on `path`; a full disk or quota is [`Error::DiskFull`], a lack of
    /// descriptors [`Error::Overloaded`].
    pub fn io(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let errno = rustix::io::Errno::from_io_error(&source);
        if matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)) {
            tracing::warn!("{doing} {}: {source}", path.into().display());
            return Self::Overloaded;
        }
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io { doing, path: path.into(), source },
        }
    }
}

/// [`Error::Damaged`] for impossible metadata.
pub(crate) fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged { what: what.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_descriptors_is_overload_and_a_full_disk_is_no_failure() {
        let of = |errno: rustix::io::Errno| Error::io("open", "file", errno);
        assert!(matches!(of(rustix::io::Errno::MFILE), Error::Overloaded));
        assert!(matches!(of(rustix::io::Errno::NFILE), Error::Overloaded));
        assert!(matches!(of(rustix::io::Errno::NOSPC), Error::DiskFull));
        assert!(matches!(of(rustix::io::Errno::DQUOT), Error::DiskFull));
        assert!(matches!(of(rustix::io::Errno::IO), Error::Io { .. }));
    }
}
