//! Unsigned decimal numbers in text: the one parser for headers, parameters and settings.
//!
//! **Invariant:** only the digits `0` to `9` are accepted. `FromStr` of Rust's integers also takes
//! a leading `+`, which no grammar of HTTP or S3 allows (RFC 9110: `1*DIGIT`).

use std::str::FromStr;

/// True if every byte is an ASCII digit. An empty text has only digits.
pub fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Number written in one or more decimal digits; leading zeros are allowed.
///
/// `None` for an empty text, for any other character, and for a number that does not fit into `N`.
pub fn parse<N: FromStr>(text: &str) -> Option<N> {
    if is_digits(text) { text.parse().ok() } else { None }
}

/// Same as [`parse`], but a number beyond 64 bits becomes [`u64::MAX`].
pub fn parse_saturating(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && is_digits(text);
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_digits_only_and_fits() {
        for (text, number) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("007", Some(7)),
            ("255", Some(255)),
            ("256", None),
            ("99999999999999999999", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            (" 1", None),
            ("1.0", None),
            ("1e2", None),
            ("0x1", None),
            ("١", None),
        ] {
            assert_eq!(parse::<u8>(text), number, "{text:?}");
        }
        assert_eq!(parse::<u64>("18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse::<u64>("18446744073709551616"), None);
    }

    #[test]
    fn a_number_that_does_not_fit_saturates() {
        for (text, number) in [
            ("5", Some(5)),
            ("18446744073709551616", Some(u64::MAX)),
            ("", None),
            ("+5", None),
            ("5x", None),
        ] {
            assert_eq!(parse_saturating(text), number, "{text:?}");
        }
    }
}
