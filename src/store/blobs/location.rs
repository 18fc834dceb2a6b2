//! Location of a blob: a file of its own, or an extent of a segment.

use super::name::{BlobName, SEGMENT_PAGES, SegmentName};

/// Bytes of a page of a segment. Extents begin at multiples of it, so that the file system can give
/// back the room of one without touching the next.
pub(super) const PAGE_BYTES: u64 = 4 << 10;
/// Most bytes of a body that is packed: such a blob is always read whole.
pub const PACKED_BYTES_MAX: u64 = 256 << 10;
/// Most pages of an extent: such a body, and the longest trailer.
pub const EXTENT_PAGES_MAX: u64 = PACKED_BYTES_MAX / PAGE_BYTES + 1;

/// Location of the bytes of a blob and its trailer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Location {
    /// Name of the blob, and of its file if it has one of its own.
    pub name: BlobName,
    /// Extent in the segments of its run; `None` for a file of its own.
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
    /// Number of pages of 4 KiB.
    pub pages: u64,
}

impl Extent {
    /// The segment that it is in, of the run `run`.
    pub(super) fn segment(self, run: u64) -> SegmentName {
        SegmentName { run, number: self.first_page / SEGMENT_PAGES }
    }

    /// Offset in the segment's file, in bytes.
    pub(super) fn offset(self) -> u64 {
        self.first_page % SEGMENT_PAGES * PAGE_BYTES
    }

    /// True if the packer can have assigned this extent: not empty, and inside of one segment.
    pub(super) fn is_sound(self) -> bool {
        self.first_page < u64::MAX / 2
            && (1..=EXTENT_PAGES_MAX).contains(&self.pages)
            && self.first_page % SEGMENT_PAGES + self.pages <= SEGMENT_PAGES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!((second.segment(9).number, second.offset()), (1, 17 * 4096));
        assert!(second.segment(9).pages().contains(&second.first_page));
    }
}
