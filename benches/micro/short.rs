//! How long each figure may take: short, so that all of them together take less than a minute.

use std::time::Duration;

use criterion::Criterion;

/// Enough samples for a median; no plots, no gnuplot.
pub fn criterion() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1000))
        .sample_size(20)
        .nresamples(10_000)
        .without_plots()
}
