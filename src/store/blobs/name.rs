//! Names of the files of blobs and segments, and the folder of each.

use std::fmt;
use std::path::PathBuf;

use crate::types::BlobId;

/// Pages of a segment, at most: 256 MiB.
pub(super) const SEGMENT_PAGES: u64 = 1 << 16;

/// The name of one blob: the server run that made it, and its id. `Display` gives the file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct BlobName {
    /// The number of the server run that made it.
    pub run: u64,
    /// The random id.
    pub id: BlobId,
}

impl BlobName {
    /// Parses a file name: `<run in 8 or more hex digits>-<32 hex digits>`, as `Display` writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (run, id) = text.split_once('-')?;
        let name = Self { run: parse_run(run)?, id: BlobId::parse(id)? };
        // A name has one spelling: no upper case, no sign, no extra zeros.
        (name.to_string() == text).then_some(name)
    }

    /// Index of the folder that holds it: the id's last byte, which is random.
    pub fn folder(&self) -> u8 {
        self.id.as_bytes()[15]
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{}", self.run, self.id)
    }
}

/// The number of a server run, in a file name. The caller sees to the spelling.
fn parse_run(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

/// The name of a segment: the run that made it, and its number in that run. `Display` gives the
/// file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentName {
    /// The number of the server run.
    pub run: u64,
    /// 0 for the first one of the run.
    pub number: u64,
}

impl SegmentName {
    /// Parses a file name: `<run>-<number>`, both in 8 or more hex digits, as `Display` writes it.
    pub fn parse(text: &str) -> Option<Self> {
        let (run, number) = text.split_once('-')?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let name = Self { run: parse_run(run)?, number };
        // The range of SQLite's integers, with room for later runs.
        if name.run > i64::MAX as u64 / 2 || number > i64::MAX as u64 / 2 / SEGMENT_PAGES {
            return None;
        }
        // A name has one spelling: no upper case, no sign, no extra zeros.
        (name.to_string() == text).then_some(name)
    }

    /// The numbers of its pages.
    pub fn pages(self) -> std::ops::Range<u64> {
        let first = self.number.saturating_mul(SEGMENT_PAGES);
        first..first.saturating_add(SEGMENT_PAGES)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.run, self.number)
    }
}

/// Entry of a scan of `blobs/` and `segments/`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FolderEntry {
    /// A blob's file, in its right place, and the bytes of the whole file (trailer included).
    Blob(BlobName, u64),
    /// A segment.
    Segment(SegmentName),
    /// Anything else: path below the data folder.
    Foreign(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        let name = SegmentName { run: 3, number: 0x1_0000_002a };
        assert_eq!(name.to_string(), "00000003-10000002a");
        assert_eq!(SegmentName::parse("00000003-10000002a"), Some(name));
        for wrong in [
            "3-2a",
            "00000003-0000002A",
            "00000003",
            "+0000003-0000002a",
            "00000003-",
            "7fffffffffffffff-00000000",
            "00000003-7fffffffffffffff",
        ] {
            assert_eq!(SegmentName::parse(wrong), None, "{wrong}");
        }
    }
}
