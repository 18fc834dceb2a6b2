//! Dates of signatures, in whole seconds since 1970.
//!
//! **Invariant:** a date must be valid in every field. Nothing is rounded or carried over, so no
//! malformed date can extend a signature.

use std::time::{Duration, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::types::decimal;

/// Largest difference between the clocks of client and server in seconds.
pub(super) const SKEW_SECONDS_MAX: u64 = 15 * 60;

/// Time from `yyyyMMdd'T'HHmmss'Z'`, the basic format of ISO 8601.
pub(super) fn parse_basic(text: &str) -> Option<u64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    if (day.len(), time.len()) != (8, 6) {
        return None;
    }
    let two_digits = |text: &str, at: usize| decimal::parse::<i8>(text.get(at..at + 2)?);
    let civil = DateTime::new(
        decimal::parse(day.get(..4)?)?,
        two_digits(day, 4)?,
        two_digits(day, 6)?,
        two_digits(time, 0)?,
        two_digits(time, 2)?,
        two_digits(time, 4)?,
        0,
    )
    .ok()?;
    u64::try_from(Offset::UTC.to_timestamp(civil).ok()?.as_second()).ok()
}

/// Time from `yyyy-MM-dd'T'HH:mm:ss'Z'`. A fraction of up to nine digits is allowed and ignored.
pub(super) fn parse_extended(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let fraction_is_one = match fraction.strip_prefix('.') {
        Some(digits) => (1..=9).contains(&digits.len()) && decimal::is_digits(digits),
        None => fraction.is_empty(),
    };
    let separators = [(4, '-'), (7, '-'), (10, 'T'), (13, ':'), (16, ':')];
    let separated =
        separators.iter().all(|(at, separator)| seconds.as_bytes()[*at] == *separator as u8);
    if !fraction_is_one || !separated {
        return None;
    }
    let bare: String = seconds.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    parse_basic(&format!("{bare}Z"))
}

/// Time from a `Date` header: an HTTP date or the format of `x-amz-date`. `-0000`, the zone that
/// botocore writes, counts as GMT.
pub(super) fn parse_date_header(text: &str) -> Option<u64> {
    parse_basic(text).or_else(|| {
        let mail = text.strip_suffix(" -0000").map(|date| format!("{date} GMT"));
        let text = mail.unwrap_or_else(|| text.to_owned());
        let time = httpdate::parse_http_date(&text).ok()?;
        Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
    })
}

/// Text `yyyyMMdd'T'HHmmss'Z'`, as in strings to sign.
pub(super) fn basic(seconds: u64) -> String {
    format(seconds, "%Y%m%dT%H%M%SZ")
}

/// Text `yyyy-MM-dd'T'HH:mm:ss'Z'`, as in answers.
pub(super) fn extended(seconds: u64) -> String {
    format(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// True if two times differ by at most [`SKEW_SECONDS_MAX`].
pub(super) fn within_skew(a: u64, b: u64) -> bool {
    Duration::from_secs(a.abs_diff(b)) <= Duration::from_secs(SKEW_SECONDS_MAX)
}

/// Formatted time. The number of seconds for a time after the year 9999.
fn format(seconds: u64, pattern: &str) -> String {
    match i64::try_from(seconds).map(jiff::Timestamp::from_second) {
        Ok(Ok(time)) => time.strftime(pattern).to_string(),
        _ => seconds.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn malformed_dates_are_no_dates() {
        let table = [
            ("20130524T000000Z", Some(1_369_353_600)),
            ("20240229T235959Z", Some(1_709_251_199)),
            ("19700101T000000Z", Some(0)),
            ("19691231T235959Z", None),
            ("20230229T000000Z", None),
            ("20261332T999999Z", None),
            ("20130524T240000Z", None),
            ("20130524T000060Z", None),
            ("20130524T000000", None),
            ("20130524T000000z", None),
            ("20130524 000000Z", None),
            ("2013-05-24T00:00", None),
            ("+0130524T000000Z", None),
            ("2013052\u{664}T00000Z", None),
            ("NaN", None),
            ("", None),
        ];
        for (text, seconds) in table {
            assert_eq!(parse_basic(text), seconds, "{text}");
            if let Some(seconds) = seconds {
                assert_eq!(basic(seconds), text);
            }
        }
    }

    #[test]
    fn extended_dates_are_as_strict() {
        for (text, seconds) in [
            ("2013-05-24T00:00:00Z", Some(1_369_353_600)),
            ("2013-05-24T00:00:00.000Z", Some(1_369_353_600)),
            ("2013-05-24T00:00:00.999999999Z", Some(1_369_353_600)),
            ("2013-05-24T00:00:00.Z", None),
            ("2013-05-24T00:00:00.1234567890Z", None),
            ("2013-05-24T00:00:00,1Z", None),
            ("2013-05-24T00:00:00z", None),
            ("2013-05-24T00:00:00", None),
            ("2013-05-24T00:00:00+00:00", None),
            ("2013-05-24 00:00:00Z", None),
            ("2013-05-24 00:00:00.000000+00:00", None),
            ("2013-13-24T00:00:00Z", None),
            ("2013-05-24T24:00:00Z", None),
            ("2013-5-024T00:00:00Z", None),
            ("2013-05-24T-1:-1:-1Z", None),
            ("20130524T000000Z", None),
            ("2013-05-24T00:00:0\u{664}Z", None),
            ("", None),
            ("Z", None),
        ] {
            assert_eq!(parse_extended(text), seconds, "{text}");
        }
    }

    #[test]
    fn date_headers_come_in_two_forms() {
        let fixdate = "Fri, 24 May 2013 00:00:00 GMT";
        assert_eq!(parse_date_header(fixdate), Some(1_369_353_600));
        let mail = "Fri, 24 May 2013 00:00:00 -0000";
        assert_eq!(parse_date_header(mail), Some(1_369_353_600));
        assert_eq!(parse_date_header("20130524T000000Z"), Some(1_369_353_600));
        for bad in ["", "yesterday", "Fri, 24 May 2013 00:00:00 +0200", "1369353600"] {
            assert_eq!(parse_date_header(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_past_the_calendar_are_numbers() {
        assert_eq!(extended(1_369_353_600), "2013-05-24T00:00:00Z");
        assert_eq!(extended(u64::MAX), u64::MAX.to_string());
    }
}
