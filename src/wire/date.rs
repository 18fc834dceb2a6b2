//! Dates on the wire: HTTP dates (RFC 9110, section 5.6.7), ISO 8601 in XML, and `x-amz-date`.
//!
//! Formatting never fails. A time after the year 9999 is written as a time near its end.

use std::time::{Duration, UNIX_EPOCH};

use jiff::fmt::strtime;
use jiff::fmt::temporal::DateTimePrinter;

use crate::types::Timestamp;

/// 9999-12-30T22:00:00Z in seconds since 1970: the last second that both date crates can format.
const LAST_SECONDS: u64 = 253_402_207_200;

/// IMF-fixdate, as in `Last-Modified`: `Fri, 20 Nov 2026 00:00:00 GMT`.
pub fn http_date(time: Timestamp) -> String {
    let seconds = time.seconds().min(LAST_SECONDS);
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// ISO 8601, as in XML: `2026-11-20T00:00:00.000Z`. Milliseconds are always 0, as on S3, so a
/// listing and `Last-Modified` show the same time.
pub fn iso8601(time: Timestamp) -> String {
    // A listing has one date in each entry. The printer takes a third of the time of a format
    // string.
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(3));
    PRINTER.timestamp_to_string(&to_the_second(time))
}

/// Basic format of ISO 8601, as in `x-amz-date`: `20130524T000000Z`.
pub fn amz_date(time: Timestamp) -> String {
    let format = "%Y%m%dT%H%M%SZ";
    strtime::format(format, to_the_second(time)).expect("it asks for UTC's date and time only")
}

/// Time from a header, in any of HTTP's three date formats. `None` for another text: a condition
/// with an invalid date is ignored.
pub fn parse_http_date(text: &str) -> Option<Timestamp> {
    let time = httpdate::parse_http_date(text.trim()).ok()?;
    let seconds = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
    Some(Timestamp::from_millis(seconds.checked_mul(1000)?))
}

/// Time from ISO 8601 with an offset or `Z`, as in policies and lifecycle rules.
pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.trim().parse().ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp::from_millis)
}

fn to_the_second(time: Timestamp) -> jiff::Timestamp {
    // In range: milliseconds of the year 9999 are far below 2^63.
    let seconds = time.seconds().min(LAST_SECONDS).cast_signed();
    jiff::Timestamp::from_second(seconds).expect("it is a time of the years 1970–9999")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_written_in_all_forms() {
        let cases = [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT", "1970-01-01T00:00:00.000Z", "19700101T000000Z"),
            (
                1_369_353_600_999,
                "Fri, 24 May 2013 00:00:00 GMT",
                "2013-05-24T00:00:00.000Z",
                "20130524T000000Z",
            ),
            (
                1_709_209_425_000,
                "Thu, 29 Feb 2024 12:23:45 GMT",
                "2024-02-29T12:23:45.000Z",
                "20240229T122345Z",
            ),
            (
                u64::MAX,
                "Thu, 30 Dec 9999 22:00:00 GMT",
                "9999-12-30T22:00:00.000Z",
                "99991230T220000Z",
            ),
        ];
        for (millis, http, iso, amz) in cases {
            let time = Timestamp::from_millis(millis);
            assert_eq!(http_date(time), http);
            assert_eq!(iso8601(time), iso);
            assert_eq!(amz_date(time), amz);
        }
    }

    #[test]
    fn the_three_forms_of_http_are_one_time() {
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            " Sun, 06 Nov 1994 08:49:37 GMT ",
        ] {
            assert_eq!(parse_http_date(text), Some(Timestamp::from_millis(784_111_777_000)));
        }
        for text in [
            "",
            "now",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49:37",
            "Wed, 31 Dec 1969 23:59:59 GMT",
        ] {
            assert_eq!(parse_http_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn iso_times_need_a_zone_and_are_not_before_1970() {
        for (text, millis) in [
            ("2026-11-20T00:00:00.000Z", Some(1_795_132_800_000)),
            ("2026-11-20T00:00:00Z", Some(1_795_132_800_000)),
            ("2026-11-20T01:00:00.25+01:00", Some(1_795_132_800_250)),
            ("2026-11-20T00:00:00", None),
            ("2026-11-31T00:00:00Z", None),
            ("1969-12-31T23:59:59Z", None),
            ("", None),
        ] {
            assert_eq!(parse_iso8601(text), millis.map(Timestamp::from_millis), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(seconds in 0..=LAST_SECONDS) {
            let time = Timestamp::from_millis(seconds * 1000);
            prop_assert_eq!(parse_http_date(&http_date(time)), Some(time));
            prop_assert_eq!(parse_iso8601(&iso8601(time)), Some(time));
        }

        #[test]
        fn reading_never_panics(text in ".{0,40}") {
            let _ = (parse_http_date(&text), parse_iso8601(&text));
        }
    }
}
