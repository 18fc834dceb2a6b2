//! A budget of bytes that all requests share.
//!
//! **Invariant:** what is taken comes back when its share is dropped, also when a client hangs up.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::wire::{ErrorCode, Result};

/// Bytes that may be held at once, by all together.
#[derive(Debug)]
pub struct Budget {
    held: AtomicUsize,
    bytes_max: usize,
}

impl Budget {
    /// A budget of which nothing is taken.
    pub const fn new(bytes_max: usize) -> Self {
        Self { held: AtomicUsize::new(0), bytes_max }
    }
    /// A share of nothing yet.
    pub fn share(&self) -> Share<'_> {
        Share { budget: self, bytes: 0 }
    }
}

/// What one request holds of a budget.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Share<'_> {
    /// Takes so many bytes more.
    ///
    /// # Errors
    /// SlowDown when they are not there.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        // Taken first, then judged: two that race cannot both take the last bytes.
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        match before.saturating_add(bytes) <= self.budget.bytes_max {
            true => Ok(()),
            false => Err(ErrorCode::SlowDown.into()),
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_back() {
        let budget = Budget::new(10);
        let (mut a, mut b) = (budget.share(), budget.share());
        a.grow(4).unwrap();
        b.grow(6).unwrap();
        assert_eq!(a.grow(1).unwrap_err().code, ErrorCode::SlowDown);
        drop(a);
        b.grow(4).unwrap();
        assert_eq!(budget.share().grow(1).unwrap_err().code, ErrorCode::SlowDown);
        drop(b);
        budget.share().grow(10).unwrap();
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
