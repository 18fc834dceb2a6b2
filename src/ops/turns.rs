//! Turns at long work, of which little is done at once: who comes waits for a turn, users side by
//! side.
//!
//! **Invariants**
//! - Who waits has a place, and places are bounded, for all and for each user; without one nothing
//!   is held.
//! - No user has all turns. As each stands in the common queue with no more than that, somebody
//!   else's is never behind all that one user has asked for.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::shares::{Share, Shares};

/// How many turns and places there are.
pub struct Limits {
    /// Turns at once.
    pub turns: usize,
    /// Turns of one user at once.
    pub turns_of_user: usize,
    /// Those who wait or have a turn.
    pub places: usize,
    /// Those of one user.
    pub places_of_user: usize,
}

/// Turns of one kind.
pub struct Turns {
    limits: Limits,
    all: Semaphore,
    /// Of the users who have a place.
    users: LazyLock<Mutex<HashMap<String, Weak<Semaphore>>>>,
    places: Shares,
}

/// A place among those who wait, until it is dropped.
pub struct Place {
    turns: &'static Turns,
    own: Arc<Semaphore>,
    _place: Share,
}

/// A turn, until it is dropped.
pub struct Turn {
    _all: SemaphorePermit<'static>,
    _own: OwnedSemaphorePermit,
    _place: Place,
}

impl Turns {
    /// Nobody waits.
    pub const fn new(limits: Limits) -> Self {
        let all = Semaphore::const_new(limits.turns);
        Self { limits, all, users: LazyLock::new(Mutex::default), places: Shares::new() }
    }

    /// A place for the user: `None` when all are taken, or this one has its share.
    pub fn place(&'static self, user: &str) -> Option<Place> {
        let Limits { places, places_of_user, .. } = self.limits;
        let place = self.places.take(user, places_of_user, places)?;
        // Each change is a single step, so a panic elsewhere cannot leave it half done.
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|_, own| own.strong_count() > 0);
        let known = users.get(user).and_then(Weak::upgrade);
        let own = known.unwrap_or_else(|| Arc::new(Semaphore::new(self.limits.turns_of_user)));
        users.insert(user.to_owned(), Arc::downgrade(&own));
        Some(Place { turns: self, own, _place: place })
    }
}

impl Place {
    /// Waits for the turn.
    pub async fn turn(self) -> Turn {
        const OPEN: &str = "the semaphores are never closed";
        // First among the user's own, so that few of them stand in the common queue.
        let own = Arc::clone(&self.own).acquire_owned().await.expect(OPEN);
        let all = self.turns.all.acquire().await.expect(OPEN);
        Turn { _all: all, _own: own, _place: self }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Turn>>>;

    fn wait(turns: &'static Turns, user: &str) -> Waiting {
        Box::pin(turns.place(user).expect("there is a place").turn())
    }

    fn poll(waiting: &mut Waiting) -> Option<Turn> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_user_leaves_turns_to_others_and_waits_in_order() {
        static TURNS: Turns =
            Turns::new(Limits { turns: 3, turns_of_user: 2, places: 8, places_of_user: 5 });
        let mut alice: Vec<Waiting> = (0..5).map(|_| wait(&TURNS, "alice")).collect();
        assert!(TURNS.place("alice").is_none(), "her places are taken");
        let mut at_work: Vec<Turn> =
            alice.drain(..2).filter_map(|mut one| poll(&mut one)).collect();
        assert_eq!(at_work.len(), 2);
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "she has her turns");
        // Somebody else has a turn at once, though she was first; then all turns are taken.
        let (mut bob, mut second) = (wait(&TURNS, "bob"), wait(&TURNS, "bob"));
        let bob = poll(&mut bob).expect("there is a turn left");
        assert!(poll(&mut second).is_none());
        drop(wait(&TURNS, "carol"));
        assert!(TURNS.place("carol").is_some_and(|_| true), "a place that is left is free");
        // The next turn is that of him who waits for all; of hers, the first of those who wait.
        drop(at_work.pop());
        let second = poll(&mut second).expect("it is his turn");
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "all turns are taken");
        drop((bob, second));
        let first = poll(&mut alice[0]).expect("a turn of her own is free");
        assert!(poll(&mut alice[1]).is_none());
        drop((first, at_work, alice));
        assert!(TURNS.places.take("dora", 8, 8).is_some());
        assert!((0..5).map(|_| TURNS.place("alice")).all(|place| place.is_some()));
    }

    #[test]
    fn places_are_bounded_for_all_together() {
        static TURNS: Turns =
            Turns::new(Limits { turns: 1, turns_of_user: 1, places: 2, places_of_user: 2 });
        let places = [TURNS.place("alice"), TURNS.place("bob")];
        assert!(TURNS.place("carol").is_none());
        drop(places);
        assert!(TURNS.place("carol").is_some());
    }
}
