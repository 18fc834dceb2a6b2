//! Digests and checksums: MD5, SHA, CRC and XXHASH.
//!
//! Owns the table of S3's checksum algorithms, the hashers, and the combination of the checksums of
//! parts. Depends on nothing else in this crate. [`crate::wire::checksum`] owns the headers.
//!
//! **Invariants**
//! - The table `ROWS` in `checksum` is the only place with the names, length and types of an
//!   algorithm.
//! - A raw value is big-endian and exactly `algorithm.length()` bytes long.

mod checksum;
mod combine;
mod hasher;
pub mod lanes;

pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumType, Digests, ObjectChecksum};
pub use combine::{Combiner, composite};
pub use hasher::{Hasher, HasherWithoutMd5, WantedDigests, crc32c, crc64nvme};

#[cfg(test)]
mod tests;
