//! Quota of slots with a share for each user (or other owner), so that one user leaves slots to the
//! others.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

/// Slots of one kind. Cheap to clone; every clone is the same quota.
#[derive(Clone, Default)]
pub struct Quota(Arc<Mutex<Taken>>);

/// Slots that are taken.
#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<String, usize>,
}

/// One slot, until it is dropped.
pub struct Slot {
    quota: Quota,
    owner: String,
}

impl Quota {
    /// Takes a slot for `owner`. `None` when all owners together hold `all` slots, or this one
    /// holds `each`.
    pub fn take(&self, owner: &str, each: usize, all: usize) -> Option<Slot> {
        let mut taken = self.0.lock();
        if taken.all >= all {
            return None;
        }
        match taken.of.get_mut(owner) {
            Some(own) if *own >= each => return None,
            Some(own) => *own += 1,
            None if each == 0 => return None,
            None => drop(taken.of.insert(owner.to_owned(), 1)),
        }
        taken.all += 1;
        Some(Slot { quota: self.clone(), owner: owner.to_owned() })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.quota.0.lock();
        // Owners without a slot have no entry.
        taken.all -= 1;
        match taken.of.get_mut(&self.owner) {
            Some(own) if *own > 1 => *own -= 1,
            _ => drop(taken.of.remove(&self.owner)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_leaves_slots_to_others_and_all_come_back() {
        let quota = Quota::default();
        let take = |user| quota.take(user, 3, 5);
        let alice: Vec<Slot> = (0..3).filter_map(|_| take("alice")).collect();
        assert_eq!(alice.len(), 3);
        assert!(take("alice").is_none(), "her share is used up");
        let bob: Vec<Slot> = (0..3).filter_map(|_| take("bob")).collect();
        assert_eq!(bob.len(), 2, "there are five in all");
        drop(alice);
        assert!(take("bob").is_some() && take("alice").is_some());
        drop(bob);
        let taken = quota.0.lock();
        assert!(taken.of.is_empty() && taken.all == 0);
    }
}
