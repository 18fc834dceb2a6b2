//! [`PartNumber`]: the number of a part in a multipart upload.

use std::fmt;

use super::decimal;
use super::s3_limits::PART_NUMBER_MAX;

/// Number of a part, 1 to 10,000.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartNumber(u16);

impl PartNumber {
    /// The lowest number, 1.
    pub const FIRST: Self = Self(1);

    /// Number, if S3 allows it.
    pub fn new(number: u16) -> Option<Self> {
        (1..=PART_NUMBER_MAX).contains(&number).then_some(Self(number))
    }
    /// Number from decimal digits, as in `?partNumber=`.
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text).and_then(Self::new)
    }
    /// The number as an integer.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_numbers_are_1_to_10000() {
        for (text, number) in [
            ("1", Some(1)),
            ("10000", Some(10_000)),
            ("0", None),
            ("10001", None),
            ("65537", None),
            ("99999999999999999999", None),
            ("+1", None),
            ("-1", None),
            ("1.0", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(PartNumber::parse(text).map(PartNumber::get), number, "{text:?}");
        }
    }
}
