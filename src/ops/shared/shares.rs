//! Places of which there are a few, and of which no user may hold more than a share: one who takes
//! all that it can get leaves places to the others.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, MutexGuard};

/// Places of one kind.
pub struct Shares(LazyLock<Mutex<HashMap<String, usize>>>);

/// One place, until it is dropped.
pub struct Share {
    places: &'static Shares,
    user: String,
}

impl Shares {
    /// None taken.
    pub const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// A place for the user: `None` when all users hold `all`, or this one holds `each`.
    pub fn take(&'static self, user: &str, each: usize, all: usize) -> Option<Share> {
        let mut taken = self.lock();
        let own = taken.get(user).copied().unwrap_or(0);
        if own >= each || taken.values().sum::<usize>() >= all {
            return None;
        }
        taken.insert(user.to_owned(), own + 1);
        Some(Share { places: self, user: user.to_owned() })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().expect("nothing panics while it holds this")
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        // Users without a place leave nothing behind.
        match taken.get_mut(&self.user) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.remove(&self.user)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_leaves_places_to_others_and_all_come_back() {
        static PLACES: Shares = Shares::new();
        let take = |user| PLACES.take(user, 3, 5);
        let alice: Vec<Share> = (0..3).filter_map(|_| take("alice")).collect();
        assert_eq!(alice.len(), 3);
        assert!(take("alice").is_none(), "her share is used up");
        let bob: Vec<Share> = (0..3).filter_map(|_| take("bob")).collect();
        assert_eq!(bob.len(), 2, "there are five in all");
        drop(alice);
        assert!(take("bob").is_some() && take("alice").is_some());
        drop(bob);
        assert!(PLACES.lock().is_empty());
    }
}
