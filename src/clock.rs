//! The one place that reads the wall clock.
//!
//! Everything else takes a [`Timestamp`] as an argument, so that a test can say what time it is; a
//! lint forbids calling the system's clock anywhere else.

use crate::types::Timestamp;

/// The time now, in milliseconds since 1970-01-01 UTC.
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
