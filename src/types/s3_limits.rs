//! Limits that S3 documents for keys, parts and objects.
//!
//! Source: AWS, "Amazon S3 multipart upload limits" and "Naming Amazon S3 objects".

use std::ops::RangeInclusive;

/// Length of a bucket's name in bytes.
pub(super) const BUCKET_NAME_BYTES: RangeInclusive<usize> = 3..=63;
/// Longest key in bytes of UTF-8. Above it: KeyTooLongError.
pub const KEY_BYTES_MAX: usize = 1024;
/// Highest part number. The lowest is 1.
pub const PART_NUMBER_MAX: u16 = 10_000;
/// Largest PutObject, UploadPart or copy source in bytes: 5 GiB.
pub const PUT_BYTES_MAX: u64 = 5 << 30;
/// Default of the smallest part in bytes, except for the last part: 5 MiB. Setting
/// `part-bytes-min`.
pub const PART_BYTES_MIN: u64 = 5 << 20;
/// Largest object in bytes: 10,000 parts of 5 GiB.
pub const OBJECT_BYTES_MAX: u64 = PUT_BYTES_MAX * PART_NUMBER_MAX as u64;
