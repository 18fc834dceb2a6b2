//! Wall clock of the process: the only file that reads it. Ids have a time of their own, which the
//! crate `uuid` reads.
//!
//! Other code takes a [`Timestamp`] as an argument, so that tests choose the time. A clippy lint
//! (`disallowed_methods`) forbids the system's clock elsewhere.

use crate::types::Timestamp;

/// Current time in milliseconds since 1970-01-01 UTC.
#[allow(clippy::disallowed_methods)] // This is the place that the lint points to.
pub fn now() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("the clock of a running server is past 1970");
    Timestamp::from_millis(
        u64::try_from(since_epoch.as_millis())
            .expect("milliseconds fit until the year 584 million"),
    )
}
