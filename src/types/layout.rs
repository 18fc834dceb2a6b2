//! [`Layout`]: the division of a file of declared size into parts.
//!
//! **Invariants**
//! - A layout has 1 to [`PART_NUMBER_MAX`] parts. Every part but the last has the part size; the
//!   last has the rest. An empty file is one part without bytes.
//! - Part `n` begins at byte `(n - 1) * part_size`.

use super::part_number::PartNumber;
use super::s3_limits::{OBJECT_BYTES_MAX, PART_NUMBER_MAX, PUT_BYTES_MAX};

/// Smallest part in bytes that [`Layout::proposed`] gives.
pub const PROPOSED_PART_BYTES_MIN: u64 = 8 << 20;
/// Step of proposed part sizes in bytes.
const PROPOSED_PART_BYTES_STEP: u64 = 1 << 20;

/// Size of a file and of all its parts but the last, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Layout {
    size: u64,
    part_size: u64,
}

impl Layout {
    /// Layout of `size` bytes in parts of `part_size` bytes. `None` beyond a limit of S3: more than
    /// 10,000 parts, a part over 5 GiB, or an object over the largest size.
    pub fn new(size: u64, part_size: u64) -> Option<Self> {
        let parts = size.div_ceil(part_size.max(1));
        let legal = (1..=PUT_BYTES_MAX).contains(&part_size)
            && size <= OBJECT_BYTES_MAX
            && parts <= u64::from(PART_NUMBER_MAX);
        legal.then_some(Self { size, part_size })
    }

    /// Layout of `size` bytes with the part size that the server proposes: the smallest multiple of
    /// 1 MiB that is at least 8 MiB and needs no more than 10,000 parts. `None` for a size over the
    /// largest object.
    pub fn proposed(size: u64) -> Option<Self> {
        let least = size.div_ceil(u64::from(PART_NUMBER_MAX));
        let part_size = least.next_multiple_of(PROPOSED_PART_BYTES_STEP);
        Self::new(size, part_size.max(PROPOSED_PART_BYTES_MIN))
    }

    /// Bytes of the whole file.
    pub const fn size(self) -> u64 {
        self.size
    }

    /// Bytes of every part but the last.
    pub const fn part_size(self) -> u64 {
        self.part_size
    }

    /// Number of parts, which is the number of the last one.
    pub fn count(self) -> u16 {
        let parts = self.size.div_ceil(self.part_size).max(1);
        u16::try_from(parts).expect("a layout has at most 10,000 parts")
    }

    /// Offset of the first byte of a part. The size of the file for a number past the last part.
    pub fn first_byte(self, number: PartNumber) -> u64 {
        (u64::from(number.get() - 1) * self.part_size).min(self.size)
    }

    /// Bytes of a part. `None` for a number past the last part.
    pub fn bytes_of(self, number: PartNumber) -> Option<u64> {
        if number.get() > self.count() {
            return None;
        }
        Some((self.size - self.first_byte(number)).min(self.part_size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u16) -> PartNumber {
        PartNumber::new(number).expect("a part's number")
    }

    #[test]
    fn parts_cover_the_file_without_gap_or_overlap() {
        for (size, part_size, count, last) in [
            (0, 1, 1, 0),
            (1, 1, 1, 1),
            (1, 5 << 20, 1, 1),
            (10, 5, 2, 5),
            (11, 5, 3, 1),
            (10_000, 1, 10_000, 1),
            (OBJECT_BYTES_MAX, PUT_BYTES_MAX, 10_000, PUT_BYTES_MAX),
        ] {
            let layout = Layout::new(size, part_size).expect("a layout");
            assert_eq!(
                (layout.size(), layout.part_size(), layout.count()),
                (size, part_size, count)
            );
            let mut next = 0;
            for n in 1..=count {
                assert_eq!(layout.first_byte(number(n)), next, "{size} {n}");
                next += layout.bytes_of(number(n)).expect("a part");
            }
            assert_eq!((next, layout.bytes_of(number(count))), (size, Some(last)));
            if count < PART_NUMBER_MAX {
                assert_eq!(layout.bytes_of(number(count + 1)), None);
                assert_eq!(layout.first_byte(number(count + 1)), size);
            }
        }
    }

    #[test]
    fn what_s3_does_not_allow_is_no_layout() {
        for (size, part_size) in [
            (1, 0),
            (0, 0),
            (10_001, 1),
            (1, PUT_BYTES_MAX + 1),
            (OBJECT_BYTES_MAX + 1, PUT_BYTES_MAX),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(Layout::new(size, part_size), None, "{size} {part_size}");
        }
    }

    #[test]
    fn the_proposal_is_of_whole_mebibytes() {
        const MIB: u64 = 1 << 20;
        for (size, part_size) in [
            (0, 8 * MIB),
            (80_000 * MIB, 8 * MIB),
            (80_000 * MIB + 1, 9 * MIB),
            (90_000 * MIB, 9 * MIB),
            (OBJECT_BYTES_MAX, PUT_BYTES_MAX),
        ] {
            assert_eq!(Layout::proposed(size).map(Layout::part_size), Some(part_size), "{size}");
        }
        assert_eq!(Layout::proposed(OBJECT_BYTES_MAX + 1), None);
    }
}
