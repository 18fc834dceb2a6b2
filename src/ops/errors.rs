//! The one match from errors of the store to errors of S3.

use crate::limits::RETRY_SOON_SECONDS;
use crate::ops::uploads::missing_parts;
use crate::store;
use crate::wire::{Error, ErrorCode};

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as E;
        match error {
            E::NoSuchBucket => ErrorCode::NoSuchBucket.into(),
            E::BucketNotEmpty => ErrorCode::BucketNotEmpty.into(),
            E::TooManyBuckets { max } => {
                Error::new(ErrorCode::TooManyBuckets).field("BucketsAllowed", max.to_string())
            }
            E::NoSuchKey => ErrorCode::NoSuchKey.into(),
            E::NoSuchUpload => ErrorCode::NoSuchUpload.into(),
            E::PreconditionFailed { condition } => {
                Error::new(ErrorCode::PreconditionFailed).field("Condition", condition)
            }
            E::InvalidPart { number, etag, incomplete } => {
                let error =
                    Error::new(ErrorCode::InvalidPart).field("PartNumber", number.to_string());
                let error = match etag {
                    Some(etag) => error.field("ETag", etag),
                    None => error,
                };
                match incomplete {
                    Some(incomplete) => missing_parts::explain(error, &incomplete.blocks),
                    None => error,
                }
            }
            E::PartMisfit { .. }
            | E::Incomplete(_)
            | E::DigestsDiffer
            | E::WholeMismatch { .. } => other_than_declared(error),
            E::InvalidPartOrder => ErrorCode::InvalidPartOrder.into(),
            E::NoParts => ErrorCode::MalformedXML.into(),
            E::EntityTooSmall { number, size, min, etag } => Error::new(ErrorCode::EntityTooSmall)
                .field("ProposedSize", size.to_string())
                .field("MinSizeAllowed", min.to_string())
                .field("PartNumber", number.to_string())
                .field("ETag", etag.to_string()),
            E::EntityTooLarge => ErrorCode::EntityTooLarge.into(),
            E::ObjectSizeMismatch { .. }
            | E::ChecksumTypeMismatch { .. }
            | E::ChecksumMissing { .. }
            | E::ChecksumMismatch { .. } => disagreement(error),
            E::OperationAborted | E::ObjectChanged => ErrorCode::OperationAborted.into(),
            E::DiskFull => Error::new(ErrorCode::InsufficientStorage).caused_by(E::DiskFull),
            E::Overloaded => Error::slow_down(ErrorCode::SlowDown.message(), RETRY_SOON_SECONDS),
            // Nobody reads the answer.
            E::Cancelled => ErrorCode::RequestTimeout.into(),
            E::Poisoned | E::Closed => Error::new(ErrorCode::ServiceUnavailable).caused_by(error),
            E::Exists { .. }
            | E::Refused(_)
            | E::NotFound { .. }
            | E::Damaged { .. }
            | E::Io { .. }
            | E::Database(_)
            | E::Locked { .. }
            | E::NewerSchema { .. } => Error::new(ErrorCode::InternalError).caused_by(error),
        }
    }
}

/// Errors for bytes or parts that differ from the declared file.
fn other_than_declared(error: store::Error) -> Error {
    use store::Error as E;
    match error {
        E::PartMisfit { number, expected: None, .. } => Error::because(
            ErrorCode::InvalidRequest,
            format!("The declared file has no part {number}."),
        )
        .field("PartNumber", number.to_string()),
        E::PartMisfit { number, size, expected: Some(expected) } => Error::because(
            ErrorCode::InvalidRequest,
            format!("Part {number} of the declared file has {expected} bytes, not {size}."),
        )
        .field("PartNumber", number.to_string())
        .field("ProposedSize", size.to_string())
        .field("ExpectedSize", expected.to_string()),
        E::Incomplete(incomplete) => {
            let size = incomplete.blocks.layout.map_or(0, |layout| layout.size());
            let listed = incomplete.listed_bytes;
            let message = format!(
                "The upload was declared with {size} bytes; the listed parts have {listed}."
            );
            missing_parts::explain(
                Error::because(ErrorCode::InvalidRequest, message),
                &incomplete.blocks,
            )
        }
        E::DigestsDiffer => Error::because(
            ErrorCode::InvalidRequest,
            "The digest of the whole file is another than the one that was declared.",
        ),
        E::WholeMismatch { algorithm, expected, computed } => Error::because(
            ErrorCode::BadDigest,
            format!("The {algorithm} of the whole file is not the one that was declared."),
        )
        .field("ExpectedDigest", expected)
        .field("CalculatedDigest", computed),
        other => Error::new(ErrorCode::InternalError).caused_by(other),
    }
}

/// Errors of Complete for sizes and checksums that do not agree.
fn disagreement(error: store::Error) -> Error {
    use store::Error as E;
    match error {
        E::ObjectSizeMismatch { expected, actual } => Error::because(
            ErrorCode::InvalidRequest,
            format!(
                "The provided 'x-amz-mp-object-size' header value {expected} does not match \
                 what was computed: {actual}."
            ),
        ),
        E::ChecksumTypeMismatch { expected, actual } => Error::because(
            ErrorCode::InvalidRequest,
            format!(
                "The upload was created with the checksum type {}. The complete request must \
                 use the same checksum type, not {}.",
                expected.name(),
                actual.name()
            ),
        ),
        E::ChecksumMissing { number, algorithm } => Error::because(
            ErrorCode::InvalidRequest,
            format!(
                "The upload was created using a {} checksum. The complete request must \
                 include the checksum for each part. It was missing for part {number} in the \
                 request.",
                algorithm.name().to_ascii_lowercase()
            ),
        ),
        E::ChecksumMismatch { algorithm } => Error::because(
            ErrorCode::BadDigest,
            format!(
                "The {} you specified did not match the calculated checksum.",
                algorithm.name()
            ),
        ),
        other => Error::new(ErrorCode::InternalError).caused_by(other),
    }
}
