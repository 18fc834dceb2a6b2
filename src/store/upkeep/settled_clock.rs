//! Trust in the wall clock, for work that deletes what is old.
//!
//! A clock that is a month ahead makes everything old: one start with it would abort all open
//! uploads. So such work waits for two hours after a start, and after each jump of the clock
//! against the monotonic clock. It does not wait if the last run ended less than two hours before:
//! then the clock has not jumped far.

use std::time::{Duration, Instant};

use crate::types::Timestamp;

/// Wait after a jump: time to notice and mend a wrong clock, and for clients to resume their
/// uploads after the server was off for long.
const SETTLE: Duration = Duration::from_secs(2 * 60 * 60);
/// Difference between both clocks that is a jump. Adjustments by NTP are smaller.
const JUMP_MS: u64 = 60_000;

/// Observer of both clocks.
pub(super) struct SettledClock {
    /// Time from which the wall clock is trusted.
    settled: Instant,
    /// The last observation.
    last: (Instant, Timestamp),
}

impl SettledClock {
    /// An observer whose first observation is this one. `last_noted` is the last time of earlier
    /// runs.
    pub(super) fn new(now: Instant, wall: Timestamp, last_noted: Option<Timestamp>) -> Self {
        let passed = last_noted.and_then(|noted| wall.millis().checked_sub(noted.millis()));
        let is_short = passed.is_some_and(|passed| Duration::from_millis(passed) <= SETTLE);
        Self { settled: if is_short { now } else { now + SETTLE }, last: (now, wall) }
    }

    /// Observes both clocks; true if the wall clock is trusted.
    pub(super) fn observe(&mut self, now: Instant, wall: Timestamp) -> bool {
        let (before, wall_before) = self.last;
        let passed = u64::try_from((now - before).as_millis()).unwrap_or(u64::MAX);
        let expected = wall_before.plus_millis(passed);
        let jump_ms = expected.millis().abs_diff(wall.millis());
        if jump_ms >= JUMP_MS {
            tracing::warn!(jump_ms, "the clock was changed: nothing expires for two hours");
            self.settled = now + SETTLE;
        }
        self.last = (now, wall);
        now >= self.settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_trusted_two_hours_after_a_jump() {
        const MINUTE_MS: u64 = 60_000;
        const MONTH_MS: u64 = 30 * 24 * 60 * MINUTE_MS;
        let (start, wall) = (Instant::now(), Timestamp::from_millis(1_700_000_000_000));
        let mut clock = SettledClock::new(start, wall, None);
        // Minutes since the start, the wall clock's difference from it, and if it is trusted.
        for (minutes, ahead_ms, is_settled) in [
            (1, 0, false),
            (119, 0, false),
            (120, 500, true),
            (121, MONTH_MS, false),
            (240, MONTH_MS, false),
            (241, MONTH_MS, true),
            // Set back.
            (242, 0, false),
            (362, 0, true),
            // Adjusted in small steps.
            (363, MINUTE_MS / 2, true),
            (364, MINUTE_MS, true),
        ] {
            let now = start + Duration::from_secs(minutes * 60);
            let wall = wall.plus_millis(minutes * MINUTE_MS + ahead_ms);
            assert_eq!(clock.observe(now, wall), is_settled, "{minutes} minutes");
        }
    }

    #[test]
    fn a_clock_is_trusted_at_once_shortly_after_the_last_run() {
        let (start, wall) = (Instant::now(), Timestamp::from_millis(1_700_000_000_000));
        for (seconds, is_settled) in [(0, true), (7200, true), (7201, false)] {
            let last = wall.minus_millis(seconds * 1000);
            assert_eq!(SettledClock::new(start, wall, Some(last)).observe(start, wall), is_settled);
        }
        let ahead = wall.plus_millis(1);
        assert!(!SettledClock::new(start, wall, Some(ahead)).observe(start, wall), "set back");
    }
}
