//! Turns at long work, of which little is done at once: who comes waits for a turn, users side by
//! side.
//!
//! **Invariants**
//! - Who waits has a place, and places are bounded, for all and for each user; without one nothing
//!   is held.
//! - No upload has more than one turn, nor more than a few places: all browsers of an application
//!   may be one user, and each of them comes again for its own upload.
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
    /// Those of one upload, of which one has a turn.
    pub places_of_upload: usize,
}

/// Turns of one kind.
pub struct Turns {
    limits: Limits,
    all: Semaphore,
    /// Of the users who have a place.
    users: Queues,
    /// Of the uploads that have one.
    uploads: Queues,
    places: Shares,
    places_of_uploads: Shares,
}

/// Queues of those who have turns of their own.
struct Queues(LazyLock<Mutex<HashMap<String, Weak<Semaphore>>>>);

/// A place among those who wait, until it is dropped.
pub struct Place {
    turns: &'static Turns,
    own: Arc<Semaphore>,
    of_upload: Arc<Semaphore>,
    _places: [Share; 2],
}

/// A turn, until it is dropped.
pub struct Turn {
    _all: SemaphorePermit<'static>,
    _own: OwnedSemaphorePermit,
    _of_upload: OwnedSemaphorePermit,
    _place: Place,
}

impl Turns {
    /// Nobody waits.
    pub const fn new(limits: Limits) -> Self {
        let all = Semaphore::const_new(limits.turns);
        Self {
            limits,
            all,
            users: Queues::new(),
            uploads: Queues::new(),
            places: Shares::new(),
            places_of_uploads: Shares::new(),
        }
    }

    /// A place for an upload of the user's: `None` when all are taken, or it has its share, or the
    /// user.
    pub fn place(&'static self, user: &str, upload: &str) -> Option<Place> {
        let Limits { places, places_of_user, places_of_upload, turns_of_user, .. } = self.limits;
        let of_upload = self.places_of_uploads.take(upload, places_of_upload, places)?;
        let place = self.places.take(user, places_of_user, places)?;
        Some(Place {
            turns: self,
            own: self.users.of(user, turns_of_user),
            of_upload: self.uploads.of(upload, 1),
            _places: [place, of_upload],
        })
    }
}

impl Queues {
    const fn new() -> Self {
        Self(LazyLock::new(Mutex::default))
    }

    /// The queue of this one, with so many turns if nobody stands in it.
    fn of(&self, whose: &str, turns: usize) -> Arc<Semaphore> {
        // Each change is a single step, so a panic elsewhere cannot leave it half done.
        let mut queues = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|_, queue| queue.strong_count() > 0);
        let known = queues.get(whose).and_then(Weak::upgrade);
        let queue = known.unwrap_or_else(|| Arc::new(Semaphore::new(turns)));
        queues.insert(whose.to_owned(), Arc::downgrade(&queue));
        queue
    }
}

impl Place {
    /// Waits for the turn.
    pub async fn turn(self) -> Turn {
        const OPEN: &str = "the semaphores are never closed";
        // First among the upload's and the user's own, so that few of them stand in the common
        // queue.
        let of_upload = Arc::clone(&self.of_upload).acquire_owned().await.expect(OPEN);
        let own = Arc::clone(&self.own).acquire_owned().await.expect(OPEN);
        let all = self.turns.all.acquire().await.expect(OPEN);
        Turn { _all: all, _own: own, _of_upload: of_upload, _place: self }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Turn>>>;

    const fn limits(
        turns: usize,
        turns_of_user: usize,
        places: usize,
        places_of_user: usize,
    ) -> Limits {
        Limits { turns, turns_of_user, places, places_of_user, places_of_upload: 2 }
    }

    /// A place for an upload that nobody else has.
    fn place(turns: &'static Turns, user: &str) -> Option<Place> {
        static UPLOADS: AtomicUsize = AtomicUsize::new(0);
        turns.place(user, &UPLOADS.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn wait(turns: &'static Turns, user: &str) -> Waiting {
        Box::pin(place(turns, user).expect("there is a place").turn())
    }

    fn poll(waiting: &mut Waiting) -> Option<Turn> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(turn) => Some(turn),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_user_leaves_turns_to_others_and_waits_in_order() {
        static TURNS: Turns = Turns::new(limits(3, 2, 8, 5));
        let mut alice: Vec<Waiting> = (0..5).map(|_| wait(&TURNS, "alice")).collect();
        assert!(place(&TURNS, "alice").is_none(), "her places are taken");
        let mut at_work: Vec<Turn> =
            alice.drain(..2).filter_map(|mut one| poll(&mut one)).collect();
        assert_eq!(at_work.len(), 2);
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "she has her turns");
        // Somebody else has a turn at once, though she was first; then all turns are taken.
        let (mut bob, mut second) = (wait(&TURNS, "bob"), wait(&TURNS, "bob"));
        let bob = poll(&mut bob).expect("there is a turn left");
        assert!(poll(&mut second).is_none());
        drop(wait(&TURNS, "carol"));
        assert!(place(&TURNS, "carol").is_some_and(|_| true), "a place that is left is free");
        // The next turn is that of him who waits for all; of hers, the first of those who wait.
        drop(at_work.pop());
        let second = poll(&mut second).expect("it is his turn");
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "all turns are taken");
        drop((bob, second));
        let first = poll(&mut alice[0]).expect("a turn of her own is free");
        assert!(poll(&mut alice[1]).is_none());
        drop((first, at_work, alice));
        assert!(TURNS.places.take("dora", 8, 8).is_some());
        assert!((0..5).map(|_| place(&TURNS, "alice")).all(|place| place.is_some()));
    }

    #[test]
    fn places_are_bounded_for_all_together() {
        static TURNS: Turns = Turns::new(limits(1, 1, 2, 2));
        let places = [place(&TURNS, "alice"), place(&TURNS, "bob")];
        assert!(place(&TURNS, "carol").is_none());
        drop(places);
        assert!(place(&TURNS, "carol").is_some());
    }

    #[test]
    fn one_upload_has_one_turn_and_few_places() {
        static TURNS: Turns = Turns::new(limits(4, 3, 8, 8));
        let place = |upload| TURNS.place("alice", upload);
        let turn = |upload| -> Waiting { Box::pin(place(upload).expect("a place").turn()) };
        let (mut first, mut second) = (turn("a"), turn("a"));
        let at_work = poll(&mut first).expect("nobody else is there");
        assert!(poll(&mut second).is_none(), "the upload has its turn");
        assert!(place("a").is_none(), "and its places");
        let other = poll(&mut turn("b")).expect("another upload of hers has a turn");
        drop(at_work);
        let at_work = poll(&mut second).expect("its turn is free");
        drop((first, other, at_work));
        drop(second);
        assert!(place("a").is_some());
        assert!(TURNS.places_of_uploads.take("a", 2, 8).is_some());
    }
}
