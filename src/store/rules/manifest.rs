//! Manifests: the listed parts of a completed upload, in runs of ascending numbers.

use crate::digest::Checksum;
use crate::types::{BlobId, PartNumber};

/// Parts in one run of a manifest.
pub(crate) const RUN_PARTS_MAX: usize = 256;

/// A part of a manifest: its offset in the object, and its blob.
#[derive(Clone)]
pub(crate) struct Piece {
    pub(crate) number: PartNumber,
    pub(crate) first: u64,
    pub(crate) size: u64,
    pub(crate) blob: BlobId,
    pub(crate) crc64nvme: u64,
    pub(crate) checksum: Option<Checksum>,
}

impl Piece {
    /// The offset behind its last byte.
    pub(crate) fn end(&self) -> u64 {
        self.first + self.size
    }
}

/// The part numbers of a run; `None` for anything but 1 to 256 ascending ones.
pub(crate) fn unpack_numbers(packed: &[u8]) -> Option<Vec<PartNumber>> {
    let (pairs, rest) = packed.as_chunks::<2>();
    let numbers: Vec<PartNumber> = pairs
        .iter()
        .map(|pair| PartNumber::new(u16::from_be_bytes(*pair)))
        .collect::<Option<_>>()?;
    let ascending = numbers.windows(2).all(|pair| pair[0] < pair[1]);
    let few = (1..=RUN_PARTS_MAX).contains(&numbers.len());
    (ascending && few && rest.is_empty()).then_some(numbers)
}
