//! Receive rates of uploads, and their bytes in flight: in memory only.
//!
//! The bytes of bodies count as they come, not the parts that are stored: a part of a
//! slow client takes minutes, and shows in the rate at once.
//!
//! **Invariants**
//! - A part costs two lookups in the table, and a piece of its body one lock that only the
//!   bodies of the same upload and its watchers take.
//! - The table holds uploads whose bodies are on their way, or were within `WINDOW_SECONDS`; what
//!   is older goes when the table has doubled.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::types::UploadId;
use crate::wire::observed::{Observer, observed};
use crate::wire::response::Stream;

/// The seconds that a rate is measured over.
const WINDOW_SECONDS: u64 = 5;
/// One slot for each second of the window, and one for the second that has begun.
const SLOTS: usize = WINDOW_SECONDS as usize + 1;
/// Uploads in the table below which nothing is cleared away.
const KEPT_MIN: usize = 256;

/// Rate of an upload's bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rate {
    /// Bytes of each of the last seconds, on average.
    pub bytes_per_second: u64,
    /// Bytes of parts that are on their way and count for nothing yet.
    pub in_flight_bytes: u64,
}

/// Rates of the uploads of one gateway. Cheap to clone; every clone is the same table.
#[derive(Clone)]
pub struct UploadRates(Arc<Rates>);

struct Rates {
    began: Instant,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    meters: HashMap<UploadId, Arc<Mutex<Meter>>>,
    /// The number of uploads at which the next clearing is due.
    clear_at: usize,
}

impl Default for UploadRates {
    fn default() -> Self {
        Self(Arc::new(Rates { began: Instant::now(), table: Mutex::default() }))
    }
}

impl UploadRates {
    /// The rate of an upload now; zero when none of its bodies is on its way.
    pub fn of(&self, id: UploadId) -> Rate {
        let meter = self.0.table.lock().meters.get(&id).cloned();
        meter.map_or_else(Rate::default, |meter| meter.lock().rate(self.millis()))
    }

    /// A body of a part, whose bytes count for its upload from now on.
    pub fn metered(&self, id: UploadId, body: Stream) -> Stream {
        observed(body, self.begin(id, self.millis()))
    }

    /// Milliseconds since this table was made.
    fn millis(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn begin(&self, id: UploadId, now: u64) -> Flight {
        let mut table = self.0.table.lock();
        if table.meters.len() >= table.clear_at {
            table.meters.retain(|_, meter| meter.lock().is_alive(now));
            table.clear_at = (table.meters.len() * 2).max(KEPT_MIN);
        }
        let meter = table.meters.entry(id).or_insert_with(|| Arc::new(Mutex::new(Meter::new(now))));
        meter.lock().bodies += 1;
        Flight { rates: self.clone(), meter: Arc::clone(meter), bytes: 0 }
    }
}

/// The bodies of one upload. Times are milliseconds of this process.
#[derive(Debug)]
struct Meter {
    bodies: usize,
    in_flight_bytes: u64,
    /// When bytes began to come, after a time without any.
    since: u64,
    /// The second of the last byte.
    newest: u64,
    slots: [u64; SLOTS],
}

impl Meter {
    fn new(now: u64) -> Self {
        let newest = now / 1000;
        Self { bodies: 0, in_flight_bytes: 0, since: now, newest, slots: [0; SLOTS] }
    }

    /// Forgets what has left the window.
    fn advance(&mut self, now: u64) {
        let second = (now / 1000).max(self.newest);
        for gone in (self.newest + 1..=second).take(SLOTS) {
            self.slots[slot(gone)] = 0;
        }
        if second - self.newest > WINDOW_SECONDS {
            // All slots are behind us, whichever of them `take` reached.
            self.slots = [0; SLOTS];
            self.since = now;
        }
        self.newest = second;
    }

    fn add(&mut self, now: u64, bytes: u64) {
        self.advance(now);
        self.slots[slot(self.newest)] += bytes;
        self.in_flight_bytes += bytes;
    }

    fn rate(&self, now: u64) -> Rate {
        let second = now / 1000;
        let first = second.saturating_sub(WINDOW_SECONDS);
        let seen = (first..=second)
            .filter(|second| *second <= self.newest && self.newest - *second < SLOTS as u64);
        let bytes: u64 = seen.map(|second| self.slots[slot(second)]).sum();
        // A short beginning is measured by itself, but not by less than a second.
        let millis = (now - (first * 1000).max(self.since).min(now)).max(1000);
        Rate {
            bytes_per_second: u64::try_from(u128::from(bytes) * 1000 / u128::from(millis))
                .unwrap_or(u64::MAX),
            in_flight_bytes: self.in_flight_bytes,
        }
    }

    fn is_alive(&self, now: u64) -> bool {
        self.bodies > 0 || now / 1000 <= self.newest + WINDOW_SECONDS
    }
}

fn slot(second: u64) -> usize {
    usize::try_from(second % SLOTS as u64).expect("a remainder is small")
}

/// One body on its way, until it is dropped.
struct Flight {
    rates: UploadRates,
    meter: Arc<Mutex<Meter>>,
    bytes: u64,
}

impl Observer for Flight {
    fn on_data(&mut self, bytes: u64) {
        self.meter.lock().add(self.rates.millis(), bytes);
        self.bytes += bytes;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut meter = self.meter.lock();
        meter.bodies -= 1;
        meter.in_flight_bytes -= self.bytes;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_seconds() {
        let mut meter = Meter::new(10_000);
        let at = |meter: &Meter, now| meter.rate(now).bytes_per_second;
        meter.add(10_100, 500);
        assert_eq!(at(&meter, 10_100), 500, "a beginning counts as a second");
        meter.add(10_900, 500);
        assert_eq!(at(&meter, 12_000), 500);
        for second in 12..40 {
            meter.add(second * 1000 + 500, 2000);
        }
        let now = at(&meter, 39_999);
        assert!((1900..=2100).contains(&now), "{now}");
        let fading = at(&meter, 43_000);
        assert!((300..1000).contains(&fading), "{fading}");
        assert_eq!(at(&meter, 46_000), 0, "nothing came for a window");
        meter.add(99_000, 100);
        assert_eq!(at(&meter, 99_500), 100, "what was before does not count");
        assert_eq!(meter.rate(99_500).in_flight_bytes, 1000 + 28 * 2000 + 100);
    }

    #[test]
    fn what_is_over_leaves_the_table() {
        let rates = UploadRates::default();
        let busy = UploadId::new();
        let mut flight = rates.begin(busy, 0);
        flight.on_data(7);
        let count = |rates: &UploadRates| rates.0.table.lock().meters.len();
        for _ in 0..KEPT_MIN {
            drop(rates.begin(UploadId::new(), 1000));
        }
        assert_eq!(count(&rates), KEPT_MIN + 1);
        for _ in 0..KEPT_MIN * 4 {
            drop(rates.begin(UploadId::new(), 60_000));
        }
        assert!(count(&rates) > KEPT_MIN * 2, "those of the last seconds stay");
        for _ in 0..KEPT_MIN * 8 {
            drop(rates.begin(UploadId::new(), 120_000));
        }
        let bound = KEPT_MIN * 8 + 1;
        assert!(count(&rates) <= bound, "{} of {bound}: the old ones are gone", count(&rates));
        assert_eq!(rates.of(busy).in_flight_bytes, 7, "what is on its way stays");
        drop(flight);
        assert_eq!(rates.of(busy).in_flight_bytes, 0);
        assert_eq!(rates.of(UploadId::new()), Rate::default());
    }
}
