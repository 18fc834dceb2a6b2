//! Comparison of a stored part with the digests that a client claims for it.

use crate::store::records::missing_parts::ClaimedPart;
use crate::types::PartNumber;

/// Stored part with the digests that claims are compared with.
pub(crate) struct PartDigests {
    pub(crate) number: PartNumber,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) crc64nvme: u64,
    /// Known only when the signature or the client's algorithm asked for it.
    pub(crate) sha256: Option<[u8; 32]>,
}

impl PartDigests {
    /// True if the claim is for these bytes: every digest known of both is equal, and there is one.
    pub(crate) fn is(&self, claim: &ClaimedPart) -> bool {
        let sha256 = claim.sha256.and_then(|claimed| Some(claimed == self.sha256?));
        let md5 = claim.md5.map(|claimed| claimed == self.md5);
        let crc64nvme = claim.crc64nvme.map(|claimed| claimed == self.crc64nvme);
        let known: Vec<bool> = [sha256, md5, crc64nvme].into_iter().flatten().collect();
        claim.size.is_none_or(|size| size == self.size)
            && !known.is_empty()
            && known.into_iter().all(|equal| equal)
    }
}
