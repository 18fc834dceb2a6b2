//! Result of a load: operations, times, errors.

use std::io;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

/// Most descriptions of errors that are kept.
const ERROR_TEXTS_MAX: usize = 5;

/// Result of a load.
pub struct Measured {
    /// Operations that succeeded.
    pub operations: u64,
    /// Bytes of bodies, sent and received, of those operations.
    pub bytes: u64,
    /// Time from the first byte to the end of the last operation.
    pub elapsed: Duration,
    /// Time of each operation in microseconds.
    pub latency: Histogram<u64>,
    /// Operations that failed.
    pub errors: u64,
    /// Descriptions of the first errors.
    pub error_texts: Vec<String>,
    /// CPU time of the load generator.
    pub cpu: Duration,
}

impl Measured {
    pub(super) fn new() -> io::Result<Self> {
        // An hour in microseconds, with three digits.
        let latency = Histogram::new_with_bounds(1, 3_600_000_000, 3).map_err(io::Error::other)?;
        Ok(Self {
            operations: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            latency,
            errors: 0,
            error_texts: Vec::new(),
            cpu: Duration::ZERO,
        })
    }

    /// This result, if no operation failed.
    ///
    /// # Errors
    /// The number of errors and the first descriptions.
    pub fn checked(self) -> io::Result<Self> {
        match self.errors {
            0 => Ok(self),
            errors => Err(io::Error::other(format!(
                "{errors} operations failed: {}",
                self.error_texts.join("; ")
            ))),
        }
    }

    /// Operations per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// Bytes of bodies per second.
    pub fn bytes_rate(&self) -> f64 {
        self.bytes as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    pub(super) fn succeeded(&mut self, started: Instant, bytes: u64) {
        self.operations += 1;
        self.bytes += bytes;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
    }

    pub(super) fn failed(&mut self, error: String) {
        self.errors += 1;
        if self.error_texts.len() < ERROR_TEXTS_MAX {
            self.error_texts.push(error);
        }
    }
}
