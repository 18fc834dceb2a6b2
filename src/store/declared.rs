//! What an upload may say of itself beyond S3, and what is still missing of it: plain values.

use std::sync::Arc;

use super::records::UploadRecord;
use crate::access::Bucket;
use crate::types::{Layout, PartNumber};

/// Digests of a whole file, whatever parts it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WholeDigests {
    /// MD5 of all bytes; never the ETag of an upload.
    pub md5: Option<[u8; 16]>,
    /// SHA-256 of all bytes.
    pub sha256: Option<[u8; 32]>,
}

impl WholeDigests {
    /// Whether there is nothing to compare.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What both ask for; `None` when they contradict each other.
    pub fn and(self, other: Self) -> Option<Self> {
        fn both<T: PartialEq + Copy>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
            let agree = one.is_none() || other.is_none() || one == other;
            agree.then_some(one.or(other))
        }
        Some(Self { md5: both(self.md5, other.md5)?, sha256: both(self.sha256, other.sha256)? })
    }
}

/// What Create declares of the file that is to come. Every field binds the parts and Complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Declaration {
    /// Its size, and the size of its parts.
    pub layout: Option<Layout>,
    /// Its digests.
    pub digests: WholeDigests,
}

/// An open upload with what it declared.
#[derive(Clone, Debug)]
pub struct OpenUpload {
    /// The upload.
    pub upload: UploadRecord,
    /// `None` for an upload of plain S3.
    pub declaration: Option<Declaration>,
    /// Whether it was born complete, and nothing was sent since.
    pub is_instant: bool,
}

/// What Create gives.
#[derive(Clone, Debug)]
pub struct CreatedUpload {
    /// The upload.
    pub upload: UploadRecord,
    /// Whether it was there before, and was found by what it declares.
    pub is_resumed: bool,
    /// Whether it is complete already: its bytes were there.
    pub is_instant: bool,
}

/// Numbers of parts that are missing, both ends among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The first of them.
    pub first: PartNumber,
    /// The last of them.
    pub last: PartNumber,
}

/// What a client has as a part; at least one digest is given.
#[derive(Clone, Debug)]
pub struct ClaimedPart {
    /// Its number.
    pub number: PartNumber,
    /// Its bytes.
    pub size: Option<u64>,
    /// Its MD5.
    pub md5: Option<[u8; 16]>,
    /// Its SHA-256.
    pub sha256: Option<[u8; 32]>,
    /// Its CRC64NVME.
    pub crc64nvme: Option<u64>,
}

/// What of an upload is there and what is missing.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The upload.
    pub upload: UploadRecord,
    /// What it declared of its size. Without it only the gaps between known parts are told.
    pub layout: Option<Layout>,
    /// Bytes of all parts that are there.
    pub received_bytes: u64,
    /// What is missing: ascending, merged.
    pub missing: Vec<Gap>,
    /// Where the next page begins, if more is missing than was asked for.
    pub next: Option<PartNumber>,
}

/// Why a list of parts does not make the file that was declared.
#[derive(Debug)]
pub struct Incomplete {
    /// Bytes of the listed parts.
    pub listed_bytes: u64,
    /// What of the file the listed parts do not cover.
    pub blocks: Blocks,
}
