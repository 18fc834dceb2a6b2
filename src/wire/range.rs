//! `Range` (RFC 9110, section 14) and `x-amz-copy-source-range`.
//!
//! **Rules**
//! - A `Range` that S3 does not support (another unit, several ranges, an end before its start) is
//!   ignored. The answer is the whole object with status 200.
//! - A supported `Range` without a byte of the object is a 416.
//! - Numbers may have any length. A number beyond 64 bits is past the end of every object.

use super::error::{Error, ErrorCode, Result};
use crate::types::{ByteRange, decimal};

/// Range without a byte of the object: 416.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsatisfiableRange {
    /// Value of the header.
    pub requested: String,
    /// Size of the object in bytes.
    pub size: u64,
}

impl From<UnsatisfiableRange> for Error {
    fn from(range: UnsatisfiableRange) -> Self {
        Error::new(ErrorCode::InvalidRange)
            .header("content-range", format!("bytes */{}", range.size))
            .field("RangeRequested", range.requested)
            .field("ActualObjectSize", range.size.to_string())
    }
}

/// Bytes that a `Range` header selects. `None` for the whole object with status 200.
///
/// `Some` with all bytes is still a 206. On an empty object a suffix range is ignored, and every
/// other range is unsatisfiable.
///
/// # Errors
/// [`UnsatisfiableRange`].
pub fn parse(
    header: Option<&str>,
    size: u64,
) -> std::result::Result<Option<ByteRange>, UnsatisfiableRange> {
    let Some(header) = header else { return Ok(None) };
    let Some((first, last)) = split(header) else { return Ok(None) };
    let unsatisfiable = || UnsatisfiableRange { requested: header.to_owned(), size };
    match (first, last) {
        (None, None) => Ok(None),
        (None, Some(0)) => Err(unsatisfiable()),
        (None, Some(_)) if size == 0 => Ok(None),
        (None, Some(suffix)) => {
            Ok(Some(ByteRange { first: size.saturating_sub(suffix), last: size - 1 }))
        }
        (Some(first), Some(last)) if first > last => Ok(None),
        (Some(first), _) if first >= size => Err(unsatisfiable()),
        (Some(first), last) => {
            Ok(Some(ByteRange { first, last: last.unwrap_or(u64::MAX).min(size - 1) }))
        }
    }
}

/// Bytes that `x-amz-copy-source-range` selects: `bytes=first-last` within a source of `size`
/// bytes.
///
/// # Errors
/// InvalidArgument for another form; InvalidRange past the end.
pub fn parse_copy_range(text: &str, size: u64) -> Result<ByteRange> {
    let strict = text.starts_with("bytes=") && !text.contains(' ');
    match split(text).filter(|_| strict) {
        Some((Some(first), Some(last))) if first <= last => {
            if last >= size {
                let message =
                    format!("Range specified is not valid for source object of size: {size}");
                return Err(Error::because(ErrorCode::InvalidRange, message)
                    .field("RangeRequested", text)
                    .field("ActualObjectSize", size.to_string()));
            }
            Ok(ByteRange { first, last })
        }
        _ => Err(Error::argument(
            "x-amz-copy-source-range",
            text,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

/// The two numbers of `bytes=first-last`, each optional. `None` for anything but one range of
/// bytes.
fn split(text: &str) -> Option<(Option<u64>, Option<u64>)> {
    let (unit, range) = text.split_once('=')?;
    let (first, last) = range.trim().split_once('-')?;
    unit.trim().eq_ignore_ascii_case("bytes").then_some(())?;
    Some((number(first)?, number(last)?))
}

/// Number in a range. `Some(None)` for an empty text, `None` for another text. Saturates at 64
/// bits.
fn number(text: &str) -> Option<Option<u64>> {
    if text.is_empty() {
        return Some(None);
    }
    decimal::parse_saturating(text).map(Some)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Result of a row: `Err(())` is 416, `Ok(None)` is 200.
    type Expected = std::result::Result<Option<(u64, u64)>, ()>;

    fn read(header: &str, size: u64) -> Expected {
        match parse(Some(header), size) {
            Ok(range) => Ok(range.map(|r| (r.first, r.last))),
            Err(_) => Err(()),
        }
    }

    #[test]
    fn ranges_by_the_rules_of_s3() {
        let huge = "99999999999999999999999999";
        let cases: &[(&str, u64, Expected)] = &[
            ("bytes=0-0", 10, Ok(Some((0, 0)))),
            ("bytes=0-", 10, Ok(Some((0, 9)))),
            ("bytes=4-7", 10, Ok(Some((4, 7)))),
            ("bytes=9-9", 10, Ok(Some((9, 9)))),
            ("bytes=9-10", 10, Ok(Some((9, 9)))),
            ("Bytes=4-7", 10, Ok(Some((4, 7)))),
            ("bytes=-3", 10, Ok(Some((7, 9)))),
            ("bytes=-10", 10, Ok(Some((0, 9)))),
            ("bytes=-262144", 605, Ok(Some((0, 604)))),
            (&format!("bytes=-{huge}"), 10, Ok(Some((0, 9)))),
            (&format!("bytes=2-{huge}"), 10, Ok(Some((2, 9)))),
            (&format!("bytes={huge}-"), 10, Err(())),
            (&format!("bytes={huge}-{huge}"), u64::MAX, Err(())),
            ("bytes=10-", 10, Err(())),
            ("bytes=10-20", 10, Err(())),
            ("bytes=-0", 10, Err(())),
            ("bytes=0-0", 0, Err(())),
            ("bytes=0-", 0, Err(())),
            ("bytes=-0", 0, Err(())),
            ("bytes=-5", 0, Ok(None)),
            ("bytes=5-4", 10, Ok(None)),
            ("bytes=50-40", 10, Ok(None)),
            ("bytes=-", 10, Ok(None)),
            ("bytes=", 10, Ok(None)),
            ("bytes", 10, Ok(None)),
            ("", 10, Ok(None)),
            ("bytes=0-1,3-4", 10, Ok(None)),
            ("bytes=0-1-2", 10, Ok(None)),
            ("bytes=+1-2", 10, Ok(None)),
            ("bytes=a-b", 10, Ok(None)),
            ("bytes=--5", 10, Ok(None)),
            ("items=0-1", 10, Ok(None)),
        ];
        for (header, size, expected) in cases {
            assert_eq!(read(header, *size), *expected, "{header} of {size}");
        }
        assert_eq!(parse(None, 10), Ok(None));
    }

    #[test]
    fn a_416_says_what_there_is() {
        let error = Error::from(parse(Some("bytes=10-"), 10).unwrap_err());
        assert_eq!(error.code.status(), 416);
        assert_eq!(
            error.fields,
            [("RangeRequested", "bytes=10-".to_owned()), ("ActualObjectSize", "10".to_owned())]
        );
        assert_eq!(error.headers, [("content-range", "bytes */10".to_owned())]);
    }

    #[test]
    fn copy_ranges_are_strict() {
        let range = parse_copy_range("bytes=2-9", 10).unwrap();
        assert_eq!((range.first, range.last, range.len()), (2, 9, 8));
        for (text, size, code) in [
            ("bytes=0-10", 10, ErrorCode::InvalidRange),
            ("bytes=10-10", 10, ErrorCode::InvalidRange),
            ("bytes=0-0", 0, ErrorCode::InvalidRange),
            ("bytes=0-99999999999999999999999", u64::MAX, ErrorCode::InvalidRange),
            ("bytes=0-", 10, ErrorCode::InvalidArgument),
            ("bytes=-2", 10, ErrorCode::InvalidArgument),
            ("bytes=5-2", 10, ErrorCode::InvalidArgument),
            ("bytes=0-1,2-3", 10, ErrorCode::InvalidArgument),
            ("bytes= 0-1", 10, ErrorCode::InvalidArgument),
            ("Bytes=0-1", 10, ErrorCode::InvalidArgument),
            ("0-1", 10, ErrorCode::InvalidArgument),
            ("bytes=a-b", 10, ErrorCode::InvalidArgument),
            ("", 10, ErrorCode::InvalidArgument),
        ] {
            assert_eq!(parse_copy_range(text, size).unwrap_err().code, code, "{text} of {size}");
        }
    }

    proptest! {
        /// Model: the bytes of a small object that the range selects.
        #[test]
        fn a_range_names_the_bytes_that_the_model_names(
            first in prop::option::of(0_u64..24),
            last in prop::option::of(0_u64..24),
            size in 0_u64..20,
        ) {
            let text = |n: Option<u64>| n.map(|n| n.to_string()).unwrap_or_default();
            let header = format!("bytes={}-{}", text(first), text(last));
            let named: Vec<u64> = match (first, last) {
                (None, None) => vec![],
                (None, Some(suffix)) => (0..size).filter(|i| size - i <= suffix).collect(),
                (Some(first), None) => (0..size).filter(|&i| i >= first).collect(),
                (Some(first), Some(last)) => (first..=last).filter(|&i| i < size).collect(),
            };
            let ignored = match (first, last) {
                (None, None) => true,
                (Some(first), Some(last)) => first > last,
                (None, Some(suffix)) => size == 0 && suffix > 0,
                (Some(_), None) => false,
            };
            let expected = match (ignored, named.first(), named.last()) {
                (true, ..) => Ok(None),
                (false, Some(&first), Some(&last)) => Ok(Some((first, last))),
                (false, ..) => Err(()),
            };
            prop_assert_eq!(read(&header, size), expected);
        }

        #[test]
        fn any_text_and_size_is_read_without_panic(text in "(bytes=)?[-0-9a, ]{0,40}", size: u64) {
            if let Ok(Some(range)) = parse(Some(&text), size) {
                prop_assert!(range.first <= range.last && range.last < size);
            }
            if let Ok(range) = parse_copy_range(&text, size) {
                prop_assert!(range.first <= range.last && range.last < size);
            }
        }
    }
}
