//! Outcome of an attempt: taken, dead, disabled, or another attempt later. Pure. The waits between
//! attempts are a setting of each webhook (`src/config/webhook.rs`).

use crate::store::Outcome;
use crate::types::{MessageId, Timestamp, decimal};

/// Longest `Retry-After` that is obeyed, in milliseconds.
const RETRY_AFTER_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// Status by which a target unsubscribes.
const GONE: u16 = 410;

/// Part of a response that decides the outcome.
#[derive(Clone, Copy, Debug)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// `Retry-After`, in milliseconds from now.
    pub(super) retry_after_ms: Option<u64>,
}

/// Outcome of an attempt that ended at `now`, after `attempts` earlier ones. `answered` is `None`
/// if there was no response.
pub(super) fn outcome(
    answered: Option<Answered>,
    attempts: u32,
    retry_ms: &[u64],
    message: MessageId,
    now: Timestamp,
) -> Outcome {
    match answered.map(|answered| answered.status) {
        Some(200..=299) => return Outcome::Delivered,
        Some(GONE) => return Outcome::Disabled("it answered 410 Gone".into()),
        _ => {}
    }
    let index = usize::try_from(attempts).unwrap_or(usize::MAX);
    let Some(&wait) = retry_ms.get(index) else { return Outcome::Dead };
    let asked = answered.and_then(|answered| answered.retry_after_ms).unwrap_or(0);
    let wait = with_jitter(wait, message, attempts).max(asked.min(RETRY_AFTER_MS_MAX));
    Outcome::RetryAt(now.plus_millis(wait))
}

/// The wait plus up to a tenth, different for each event and attempt, so that events that failed
/// together are not repeated together.
fn with_jitter(wait: u64, message: MessageId, attempts: u32) -> u64 {
    let random = xxhash_rust::xxh3::xxh3_64_with_seed(message.as_bytes(), u64::from(attempts));
    wait.saturating_add(random % (wait / 10 + 1))
}

/// Parses `Retry-After`, which is seconds or a date. Gives milliseconds from `now`.
pub(super) fn retry_after(value: &str, now: Timestamp) -> Option<u64> {
    let value = value.trim();
    if let Some(seconds) = decimal::parse_saturating(value) {
        return Some(seconds.saturating_mul(1000));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    let since = date.duration_since(std::time::UNIX_EPOCH).ok()?;
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    Some(millis.saturating_sub(now.millis()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: &[u64] = &[5_000, 300_000];

    fn after(status: Option<u16>, retry_after_ms: Option<u64>, attempts: u32) -> Outcome {
        let answered = status.map(|status| Answered { status, retry_after_ms });
        let message = MessageId::from_bytes([7; 16]);
        outcome(answered, attempts, SCHEDULE, message, Timestamp::from_millis(1_000_000))
    }

    fn wait(outcome: Outcome) -> u64 {
        match outcome {
            Outcome::RetryAt(at) => at.millis() - 1_000_000,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn only_2xx_is_taken() {
        for status in [200, 201, 202, 204, 299] {
            assert_eq!(after(Some(status), None, 0), Outcome::Delivered);
        }
        for status in [100, 199, 300, 301, 302, 304, 307, 400, 401, 404, 429, 500, 503, 599] {
            assert!(matches!(after(Some(status), None, 0), Outcome::RetryAt(_)), "{status}");
            assert_eq!(after(Some(status), None, 2), Outcome::Dead, "{status}");
        }
        assert!(matches!(after(Some(410), None, 0), Outcome::Disabled(_)));
        assert_eq!(after(None, None, 2), Outcome::Dead);
    }

    #[test]
    fn waits_are_those_of_the_schedule_with_a_little_more() {
        for (attempts, least) in [(0, 5_000), (1, 300_000)] {
            let wait = wait(after(Some(500), None, attempts));
            assert!((least..=least + least / 10).contains(&wait), "{wait}");
        }
        let waits: std::collections::HashSet<u64> =
            (0..100_u8).map(|n| with_jitter(300_000, MessageId::from_bytes([n; 16]), 1)).collect();
        assert!(waits.len() > 90, "{} different waits", waits.len());
    }

    #[test]
    fn a_target_may_ask_for_more_time_up_to_a_day() {
        assert_eq!(wait(after(Some(503), Some(60_000), 0)), 60_000);
        assert!(wait(after(Some(503), Some(1), 0)) >= 5_000);
        assert_eq!(wait(after(Some(429), Some(u64::MAX), 0)), RETRY_AFTER_MS_MAX);
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = Timestamp::from_millis(784_111_777_000);
        for (value, millis) in [
            ("0", Some(0)),
            (" 120 ", Some(120_000)),
            ("99999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:39 GMT", Some(2_000)),
            ("Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(value, now), millis, "{value}");
        }
    }
}
