//! Least rate of a request body: a client that sends a byte now and then makes progress, and would
//! hold its connection and its disk space for days. (A client that reads slowly is cut by the stall
//! time: the kernel takes more bytes of a response only when a large part of its buffer was read.)
//!
//! **Invariant:** only waits for the client count, never the server's own work.

use std::time::Duration;

use tokio::time::Instant;

/// Least rate of a body, in bytes per second.
const BODY_BYTES_PER_SECOND_MIN: u64 = 1 << 10;

/// Measurement of one body, in windows of waiting time.
#[derive(Debug)]
pub(super) struct LeastRate {
    window: Duration,
    /// Start of the wait under way.
    since: Option<Instant>,
    /// Waiting time and bytes of the window.
    waited: Duration,
    bytes: u64,
}

impl LeastRate {
    /// A measurement in windows of this length.
    pub(super) fn new(window: Duration) -> Self {
        Self { window, since: None, waited: Duration::ZERO, bytes: 0 }
    }

    /// The server waits for the client from `now` on, if it does not already.
    pub(super) fn wait(&mut self, now: impl FnOnce() -> Instant) {
        self.since.get_or_insert_with(now);
    }

    /// The client sent `bytes`. False if the window is over and had fewer than the least
    /// rate.
    pub(super) fn received(&mut self, bytes: u64, now: impl FnOnce() -> Instant) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        // Without a wait no clock is read.
        let Some(since) = self.since.take() else { return true };
        self.waited += now().saturating_duration_since(since);
        if self.waited < self.window {
            return true;
        }
        let least = self.window.as_millis() as u64 * BODY_BYTES_PER_SECOND_MIN / 1_000;
        let is_fast = self.bytes >= least;
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        is_fast
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// True if a client is served that sends `bytes` after each wait of so many milliseconds.
    fn is_served(bytes: u64, wait_ms: u64) -> bool {
        let mut rate = LeastRate::new(Duration::from_secs(30));
        let mut now = Instant::now();
        (0..1_000).all(|_| {
            rate.wait(|| now);
            now += Duration::from_millis(wait_ms);
            rate.received(bytes, || now)
        })
    }

    #[test]
    fn a_body_has_a_least_rate() {
        assert!(is_served(1 << 10, 1_000));
        assert!(is_served(10 << 10, 9_000));
        assert!(is_served(1, 0));
        assert!(!is_served(1, 1_000));
        assert!(!is_served(1_000, 1_000));
        assert!(!is_served(1, 29_000));
    }

    #[test]
    fn bytes_that_come_without_a_wait_count() {
        let mut rate = LeastRate::new(Duration::from_secs(30));
        let mut now = Instant::now();
        for _ in 0..10 {
            rate.wait(|| now);
            now += Duration::from_secs(20);
            assert!(rate.received(100, || now), "a pause, and then much at once");
            assert!(rate.received(1 << 20, || unreachable!("no clock is read")));
        }
    }

    #[test]
    fn the_time_of_the_server_does_not_count() {
        let mut rate = LeastRate::new(Duration::from_secs(30));
        let start = Instant::now();
        for hour in 0..100 {
            let now = start + Duration::from_secs(3_600 * hour);
            rate.wait(|| now);
            assert!(rate.received(1, || now + Duration::from_millis(100)));
            // Bytes that are there already are no wait.
            assert!(rate.received(1, || unreachable!("no clock is read")));
        }
    }
}
