//! Which blob a file is: its name, and the folder that it belongs in.

use std::fmt;
use std::path::PathBuf;

use super::location::SegmentName;
use crate::types::BlobId;

/// The name of one blob: the server run that made it, and its id. `Display` gives the file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobName {
    /// The number of the server run that made it.
    pub epoch: u64,
    /// The random id.
    pub id: BlobId,
}

impl BlobName {
    /// From a file name: `<epoch in 8 or more hex digits>-<32 hex digits>`, as `Display` gives it.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, id) = text.split_once('-')?;
        let name = Self { epoch: parse_epoch(epoch)?, id: BlobId::parse(id)? };
        // One name, one spelling: no upper case, no sign, no spare zeros.
        (name.to_string() == text).then_some(name)
    }

    /// Which of the 256 folders holds it: the id's last byte, which is random.
    pub fn folder(&self) -> u8 {
        self.id.as_bytes()[15]
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.epoch, self.id)
    }
}

/// The number of a server run, in a file name. The caller sees to the spelling.
pub(super) fn parse_epoch(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// One thing that [`Blobs::scan`](super::Blobs::scan) met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// A blob's file, in its right place, and the bytes of the whole file (trailer included).
    Blob(BlobName, u64),
    /// A segment.
    Segment(SegmentName),
    /// Anything else: path below the data folder.
    Foreign(PathBuf),
}
