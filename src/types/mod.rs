//! Values of the S3 API as types: parsed once, where a request enters, and valid from then on.
//!
//! Owns names, ids, part numbers, entity tags, times and the limits that S3 documents. Depends on
//! nothing else in this crate.
//!
//! **Invariants**
//! - A value of one of these types is valid by construction. Lower layers do not check it again.
//! - `parse` returns `None` or a small error on bad input. The caller maps it to an S3 error code.

mod byte_range;
pub mod decimal;
mod etag;
mod id;
mod layout;
mod names;
mod object_headers;
mod part_number;
mod s3_limits;
mod timestamp;
mod write_condition;

pub use byte_range::ByteRange;
pub use etag::{ETag, ETagMatch};
pub use id::{BlobId, MessageId, UploadId};
pub use layout::Layout;
pub use names::{BucketName, KeyError, ObjectKey};
pub use object_headers::ObjectHeaders;
pub use part_number::PartNumber;
pub use s3_limits::{
    KEY_BYTES_MAX, OBJECT_BYTES_MAX, PART_BYTES_MIN, PART_NUMBER_MAX, PUT_BYTES_MAX,
};
pub use timestamp::Timestamp;
pub use write_condition::{Unmet, WriteCondition};
