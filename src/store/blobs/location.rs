//! Where a blob is: in a file of its own, or in a segment beside others.

use std::fmt;

use super::name::{BlobName, parse_epoch};

/// Bytes of a page of a segment. Extents begin at multiples of it, so that the file system can give
/// back the room of one without touching the next.
pub(super) const PAGE_BYTES: u64 = 4 << 10;
/// Pages of a segment, at most: 256 MiB.
pub(super) const SEGMENT_PAGES: u64 = 1 << 16;

/// Where the bytes of a blob and its trailer are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// Its name: also the file's, if it has one of its own.
    pub name: BlobName,
    /// Its place in the segments of its run; `None` for a file of its own.
    pub extent: Option<Extent>,
}

impl From<BlobName> for Location {
    fn from(name: BlobName) -> Self {
        Self { name, extent: None }
    }
}

/// Consecutive pages in one segment. The pages of all segments of a run are numbered through:
/// segment n begins at page n × 65,536.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Extent {
    /// The number of the first page.
    pub first_page: u64,
    /// How many pages of 4 KiB.
    pub pages: u64,
}

impl Extent {
    /// Which segment of its run it is in.
    pub fn segment(self) -> u64 {
        self.first_page / SEGMENT_PAGES
    }

    /// Where it begins in the segment's file, in bytes.
    pub(super) fn offset(self) -> u64 {
        self.first_page % SEGMENT_PAGES * PAGE_BYTES
    }

    /// Whether it is one that can have been given out: not empty, and inside of one segment.
    pub(super) fn is_sound(self) -> bool {
        self.first_page < u64::MAX / 2
            && (1..=super::EXTENT_PAGES_MAX).contains(&self.pages)
            && self.first_page % SEGMENT_PAGES + self.pages <= SEGMENT_PAGES
    }
}

/// The name of a segment: the run that made it, and its number in that run. `Display` gives the
/// file name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SegmentName {
    /// The number of the server run.
    pub epoch: u64,
    /// 0 for the first one of the run.
    pub number: u64,
}

impl SegmentName {
    /// From a file name: `<epoch>-<number>`, both in 8 or more hex digits, as `Display` gives it.
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.split_once('-')?;
        let number = u64::from_str_radix(number, 16).ok()?;
        let name = Self { epoch: parse_epoch(epoch)?, number };
        // What SQLite can count, with room for the runs to come.
        if name.epoch > i64::MAX as u64 / 2 || number > i64::MAX as u64 / 2 / SEGMENT_PAGES {
            return None;
        }
        // One name, one spelling: no upper case, no sign, no spare zeros.
        (name.to_string() == text).then_some(name)
    }

    /// The segment that an extent of this run is in.
    pub(super) fn of(epoch: u64, extent: Extent) -> Self {
        Self { epoch, number: extent.segment() }
    }

    /// The numbers of its pages.
    pub fn pages(self) -> std::ops::Range<u64> {
        let first = self.number.saturating_mul(SEGMENT_PAGES);
        first..first.saturating_add(SEGMENT_PAGES)
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}-{:08x}", self.epoch, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_has_one_name() {
        let name = SegmentName { epoch: 3, number: 0x1_0000_002a };
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

    #[test]
    fn an_extent_lies_in_one_segment() {
        let extent = |first_page, pages| Extent { first_page, pages };
        for sound in [extent(0, 1), extent(65_535, 1), extent(65_536, 65)] {
            assert!(sound.is_sound(), "{sound:?}");
        }
        for wrong in [
            extent(0, 0),
            extent(0, 66),
            extent(65_535, 2),
            extent(1, u64::MAX),
            extent(u64::MAX, 1),
        ] {
            assert!(!wrong.is_sound(), "{wrong:?}");
        }
        let second = extent(65_536 + 17, 3);
        assert_eq!((second.segment(), second.offset()), (1, 17 * 4096));
        assert!(SegmentName::of(9, second).pages().contains(&second.first_page));
    }
}
