//! Short settings of all microbenchmarks, so that together they take less than a minute.

use std::time::Duration;

use criterion::Criterion;

/// Settings with enough samples for a median, without plots.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
        .sample_size(20)
        .nresamples(10_000)
        .without_plots()
}
