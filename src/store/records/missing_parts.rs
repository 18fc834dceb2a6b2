//! Missing parts of an upload, and claims about parts.

use std::sync::Arc;

use super::uploads::UploadRecord;
use crate::access::Bucket;
use crate::types::{Layout, PartNumber};

/// Numbers of parts that are missing, both ends among them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gap {
    /// The first of them.
    pub first: PartNumber,
    /// The last of them.
    pub last: PartNumber,
}

impl Gap {
    /// The gap from `first` to `last`; `None` when these are no part numbers.
    pub(crate) fn new(first: u16, last: u16) -> Option<Self> {
        PartNumber::new(first).zip(PartNumber::new(last)).map(|(first, last)| Self { first, last })
    }

    /// The gaps from 1 to `end` that ascending numbers leave.
    pub(crate) fn between(present: impl Iterator<Item = u16>, end: u16) -> Vec<Self> {
        let mut gaps = Vec::new();
        let mut next = 1;
        for number in present {
            if next < number {
                gaps.extend(Self::new(next, number - 1));
            }
            next = number + 1;
        }
        if next <= end {
            gaps.extend(Self::new(next, end));
        }
        gaps
    }
}

/// Part as a client has it; at least one digest is given.
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

/// Received bytes and missing parts of an upload.
#[derive(Clone, Debug)]
pub struct Blocks {
    /// The bucket.
    pub bucket: Arc<Bucket>,
    /// The upload.
    pub upload: UploadRecord,
    /// Declared layout. Without it only gaps between stored parts are known.
    pub layout: Option<Layout>,
    /// Bytes of all stored parts.
    pub received_bytes: u64,
    /// Missing parts: ascending, merged.
    pub missing: Vec<Gap>,
    /// First part of the next page, if more is missing than was asked for.
    pub next: Option<PartNumber>,
}

/// Why a list of parts does not make the file that was declared.
#[derive(Debug)]
pub struct Incomplete {
    /// Bytes of the listed parts.
    pub listed_bytes: u64,
    /// Ranges of the file that the listed parts do not cover.
    pub blocks: Blocks,
}
