//! Budget of bytes that all requests of a gateway share, with shares of owners.
//!
//! **Invariants**
//! - Reserved bytes come back when the reservation is dropped.
//! - An owner without reserved bytes has no entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::wire::{ErrorCode, Result};

/// Bytes that all requests together may hold at once. Cheap to clone; every clone is the same
/// budget.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    held: Arc<AtomicUsize>,
    held_of: Arc<Mutex<HashMap<Owner, usize>>>,
    bytes_max: usize,
}

/// An owner with a share of the budget.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Owner {
    /// A user, by canonical id.
    User(String),
    /// The presigned requests of a user: others send them.
    Presigned(String),
    /// All anonymous callers.
    Anonymous,
    /// An upload, by id: the holder of a presigned URL is not its user.
    Upload(String),
}

impl ByteBudget {
    /// A budget of `bytes_max` bytes, none of them reserved.
    pub fn new(bytes_max: usize) -> Self {
        Self { held: Arc::default(), held_of: Arc::default(), bytes_max }
    }

    /// A reservation of no bytes yet.
    pub fn reservation(&self) -> Reservation {
        self.reservation_of(Vec::new())
    }

    /// A reservation of no bytes yet, which counts on the shares of `owners`, in bytes.
    pub fn reservation_of(&self, owners: Vec<(Owner, usize)>) -> Reservation {
        Reservation { budget: self.clone(), owners, bytes: 0 }
    }
}

/// Bytes that one request holds of a budget, until it is dropped.
#[derive(Debug)]
pub struct Reservation {
    budget: ByteBudget,
    owners: Vec<(Owner, usize)>,
    bytes: usize,
}

impl Reservation {
    /// Reserves `bytes` more.
    ///
    /// # Errors
    /// SlowDown when the budget, or the share of an owner, is used up. The bytes count as reserved
    /// until the drop all the same.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        // Added first and compared then, so that two requests cannot both take the last bytes.
        let before = self.budget.held.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        let mut fits = before.saturating_add(bytes) <= self.budget.bytes_max;
        if !self.owners.is_empty() {
            let mut held_of = self.budget.held_of.lock();
            for (owner, share) in &self.owners {
                let held = held_of.entry(owner.clone()).or_default();
                *held += bytes;
                fits &= *held <= *share;
            }
        }
        match fits {
            true => Ok(()),
            false => Err(ErrorCode::SlowDown.into()),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.bytes, Ordering::Relaxed);
        if self.owners.is_empty() {
            return;
        }
        let mut held_of = self.budget.held_of.lock();
        for (owner, _) in &self.owners {
            if let Some(held) = held_of.get_mut(owner) {
                *held -= self.bytes;
                if *held == 0 {
                    held_of.remove(owner);
                }
            }
        }
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

    #[test]
    fn an_owner_leaves_bytes_to_others() {
        let budget = ByteBudget::new(100);
        let of = |name: &str, upload: &str| {
            let user = (Owner::User(name.to_owned()), 50);
            budget.reservation_of(vec![user, (Owner::Upload(upload.to_owned()), 30)])
        };
        let (mut a, mut b, mut c) = (of("alice", "1"), of("alice", "1"), of("alice", "2"));
        a.grow(30).unwrap();
        assert_eq!(b.grow(1).unwrap_err().code, ErrorCode::SlowDown, "the upload's share");
        drop(b);
        c.grow(20).unwrap();
        assert_eq!(c.grow(1).unwrap_err().code, ErrorCode::SlowDown, "the user's share");
        let mut d = of("bob", "3");
        d.grow(30).unwrap();
        drop((a, c, d));
        assert!(budget.held_of.lock().is_empty());
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }
}
