//! Bounds of the store's own work. They are no settings of the configuration.

use std::time::Duration;

/// Time for which a batch of the writer keeps taking waiting jobs.
const BATCH_TIME_MAX: Duration = Duration::from_millis(2);
/// Part rows after which a page of open uploads ends.
const PROGRESS_PART_ROWS_MAX: u64 = 50_000;
/// Rows that the delivery log keeps, of all targets together. The last rows of a target are found
/// by an index.
const DELIVERY_ROWS_MAX: i64 = 100_000;

/// Bounds that tests set to other values than the default.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// Time for which a batch of the writer keeps taking waiting jobs.
    pub batch_time_max: Duration,
    /// Part rows after which a page of open uploads ends.
    pub progress_part_rows_max: u64,
    /// Rows that the delivery log keeps, of all targets together.
    pub delivery_rows_max: i64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            batch_time_max: BATCH_TIME_MAX,
            progress_part_rows_max: PROGRESS_PART_ROWS_MAX,
            delivery_rows_max: DELIVERY_ROWS_MAX,
        }
    }
}
