//! Budget of bytes that all requests of a gateway share.
//!
//! **Invariant:** reserved bytes come back when the reservation is dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::wire::{ErrorCode, Result};

/// Bytes that all requests together may hold at once. Cheap to clone; every clone is the same
/// budget.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    held: Arc<AtomicUsize>,
    bytes_max: usize,
}

impl ByteBudget {
    /// A budget of `bytes_max` bytes, none of them reserved.
    pub fn new(bytes_max: usize) -> Self {
        Self { held: Arc::default(), bytes_max }
    }

    /// A reservation of no bytes yet.
    pub fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), bytes: 0 }
    }
}

/// Bytes that one request holds of a budget, until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: ByteBudget,
    bytes: usize,
}

impl Reservation {
    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// SlowDown when the budget is used up. The bytes count as reserved until the drop all the
    /// same.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        // Added first and compared then, so that two requests cannot both take the last bytes.
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        match before.saturating_add(bytes) <= self.budget.bytes_max {
            true => Ok(()),
            false => Err(ErrorCode::SlowDown.into()),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reservations_come_back() {
        let budget = ByteBudget::new(10);
        let (mut a, mut b) = (budget.reservation(), budget.reservation());
        a.grow(4).unwrap();
        b.grow(6).unwrap();
        assert_eq!(a.grow(1).unwrap_err().code, ErrorCode::SlowDown);
        drop(a);
        b.grow(4).unwrap();
        assert_eq!(budget.reservation().grow(1).unwrap_err().code, ErrorCode::SlowDown);
        drop(b);
        budget.reservation().grow(10).unwrap();
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
