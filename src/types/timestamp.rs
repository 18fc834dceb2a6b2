//! [`Timestamp`]: the only representation of a time inside the gateway.

use std::fmt;

/// Time in milliseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Time from milliseconds since 1970-01-01 UTC.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }
    /// Milliseconds since 1970-01-01 UTC.
    pub const fn millis(self) -> u64 {
        self.0
    }
    /// Whole seconds since 1970-01-01 UTC: the precision of HTTP dates.
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }
    /// Time that is `millis` milliseconds later. Saturates at the largest value.
    pub const fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }
    /// Time that is `millis` milliseconds earlier. Saturates at 1970.
    pub const fn minus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_sub(millis))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_do_not_overflow() {
        let time = Timestamp::from_millis(1999);
        assert_eq!((time.seconds(), time.minus_millis(2000).millis()), (1, 0));
        assert_eq!(time.plus_millis(u64::MAX).millis(), u64::MAX);
    }
}
