//! Request ids of one gateway.
//!
//! **Invariant:** ids of a gateway ascend and are never repeated. Ids of a later run are greater
//! than those of an earlier run, unless the clock was set back.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::Timestamp;

/// Requests per millisecond that a run may serve before its ids reach those of a run that starts
/// one millisecond later.
const IDS_PER_MS: u64 = 1 << 20;

/// Counter of request ids.
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    /// A counter whose first id is derived from `start`.
    pub(super) fn starting_at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.millis().wrapping_mul(IDS_PER_MS)))
    }

    /// The next id: 16 upper-case hexadecimal digits, like those of S3.
    pub(super) fn next(&self) -> String {
        format!("{:016X}", self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_ascend_and_counters_are_independent() {
        let (first, second) = (Timestamp::from_millis(7), Timestamp::from_millis(8));
        let (a, b, later) = (
            RequestIds::starting_at(first),
            RequestIds::starting_at(first),
            RequestIds::starting_at(second),
        );
        assert_eq!(a.next(), "0000000000700000");
        assert_eq!(a.next(), "0000000000700001");
        assert_eq!(b.next(), "0000000000700000", "another counter has its own ids");
        assert!(later.next() > a.next());
    }
}
