//! The times of signatures, in whole seconds since 1970.
//!
//! **Invariant:** a date that is not wholly valid is no date. Nothing is rounded or carried over,
//! so that no malformed date can mean "never expires".

use std::time::{Duration, UNIX_EPOCH};

use jiff::civil::DateTime;
use jiff::tz::Offset;

/// How far a client's clock may be off, in seconds.
pub(super) const SKEW_SECONDS_MAX: u64 = 15 * 60;

/// From `yyyyMMdd'T'HHmmss'Z'`.
pub(super) fn parse_basic(text: &str) -> Option<u64> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |digits: &[u8]| -> Option<i16> {
        digits
            .iter()
            .try_fold(0_i16, |sum, c| c.is_ascii_digit().then(|| sum * 10 + i16::from(c - b'0')))
    };
    let small = |digits: &[u8]| number(digits).and_then(|value| i8::try_from(value).ok());
    let civil = DateTime::new(
        number(&bytes[..4])?,
        small(&bytes[4..6])?,
        small(&bytes[6..8])?,
        small(&bytes[9..11])?,
        small(&bytes[11..13])?,
        small(&bytes[13..15])?,
        0,
    )
    .ok()?;
    u64::try_from(Offset::UTC.to_timestamp(civil).ok()?.as_second()).ok()
}

/// From `yyyy-MM-dd'T'HH:mm:ss'Z'`, with or without a fraction of the second, which is dropped.
pub(super) fn parse_extended(text: &str) -> Option<u64> {
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked(19)?;
    let digits = |digits: &str| digits.len() <= 9 && digits.bytes().all(|c| c.is_ascii_digit());
    let fraction_is_one = match fraction.strip_prefix('.') {
        Some(fraction) => !fraction.is_empty() && digits(fraction),
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

/// From a `Date` header: IMF-fixdate, or the form of `x-amz-date`, which some clients put there.
/// botocore writes the zone of mail, `-0000`, for GMT.
pub(super) fn parse_date_header(text: &str) -> Option<u64> {
    parse_basic(text).or_else(|| {
        let mail = text.strip_suffix(" -0000").map(|date| format!("{date} GMT"));
        let text = mail.unwrap_or_else(|| text.to_owned());
        let time = httpdate::parse_http_date(&text).ok()?;
        Some(time.duration_since(UNIX_EPOCH).ok()?.as_secs())
    })
}

/// `yyyyMMdd'T'HHmmss'Z'`, as it stands in strings to sign.
pub(super) fn basic(seconds: u64) -> String {
    format(seconds, "%Y%m%dT%H%M%SZ")
}

/// `yyyy-MM-dd'T'HH:mm:ss'Z'`, as it stands in answers.
pub(super) fn extended(seconds: u64) -> String {
    format(seconds, "%Y-%m-%dT%H:%M:%SZ")
}

/// Whether two times differ by no more than the clock of a client may be off.
pub(super) fn within_skew(a: u64, b: u64) -> bool {
    Duration::from_secs(a.abs_diff(b)) <= Duration::from_secs(SKEW_SECONDS_MAX)
}

/// Falls back to the bare number for times past the calendar's end, year 9999.
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
