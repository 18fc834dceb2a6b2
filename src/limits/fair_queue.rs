//! Fair queue for expensive work, limited per user and, for work on uploads, per upload.
//!
//! A request takes a [`Ticket`] first and then waits for its turn to run.
//!
//! **Invariants**
//! - Tickets are bounded, in all and for each user; a request without one holds nothing.
//! - An upload runs one piece of work at a time and has few tickets: all browsers of an application
//!   may be one user, and each of them repeats requests for its own upload.
//! - No user runs as much as may run in all. A user has no more than that many requests in the
//!   common queue, so other users never wait behind everything that one user has asked for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::quota::{Quota, Slot};

/// Bounds of a queue, in requests.
#[derive(Clone, Copy)]
pub struct Bounds {
    /// Requests that run at once.
    pub running: usize,
    /// Requests of one user that run at once.
    pub running_of_user: usize,
    /// Requests that wait or run.
    pub tickets: usize,
    /// Requests of one user that wait or run.
    pub tickets_of_user: usize,
    /// Requests of one upload that wait or run; one of them runs.
    pub tickets_of_upload: usize,
}

/// A queue. Cheap to clone; every clone is the same queue.
#[derive(Clone)]
pub struct FairQueue(Arc<Queue>);

struct Queue {
    bounds: Bounds,
    all: Arc<Semaphore>,
    /// Semaphores of the users that have a ticket.
    users: Semaphores,
    /// Semaphores of the uploads that have a ticket.
    uploads: Semaphores,
    tickets: Quota,
    tickets_of_uploads: Quota,
}

/// Semaphores by their owner; an unused one is forgotten.
#[derive(Default)]
struct Semaphores(Mutex<HashMap<String, Weak<Semaphore>>>);

/// The right to wait, until it is dropped.
pub struct Ticket {
    queue: FairQueue,
    own: Arc<Semaphore>,
    of_upload: Option<Arc<Semaphore>>,
    _slots: (Slot, Option<Slot>),
}

/// The right to run, until it is dropped.
pub struct Running {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _of_upload: Option<OwnedSemaphorePermit>,
    _ticket: Ticket,
}

impl FairQueue {
    /// An empty queue.
    pub fn new(bounds: Bounds) -> Self {
        Self(Arc::new(Queue {
            bounds,
            all: Arc::new(Semaphore::new(bounds.running)),
            users: Semaphores::default(),
            uploads: Semaphores::default(),
            tickets: Quota::default(),
            tickets_of_uploads: Quota::default(),
        }))
    }

    /// Takes a ticket of a user. `None` when all tickets are taken, or those of the user.
    pub fn ticket(&self, user: &str) -> Option<Ticket> {
        self.take(user, None)
    }

    /// Takes a ticket for work on an upload of a user. `None` when all tickets are taken, or those
    /// of the upload or of the user.
    pub fn ticket_of_upload(&self, user: &str, upload: &str) -> Option<Ticket> {
        self.take(user, Some(upload))
    }

    fn take(&self, user: &str, upload: Option<&str>) -> Option<Ticket> {
        let queue = &*self.0;
        let Bounds { tickets, tickets_of_user, tickets_of_upload, running_of_user, .. } =
            queue.bounds;
        let of_upload = match upload {
            Some(upload) => {
                Some(queue.tickets_of_uploads.take(upload, tickets_of_upload, tickets)?)
            }
            None => None,
        };
        let of_user = queue.tickets.take(user, tickets_of_user, tickets)?;
        Some(Ticket {
            queue: self.clone(),
            own: queue.users.of(user, running_of_user),
            of_upload: upload.map(|upload| queue.uploads.of(upload, 1)),
            _slots: (of_user, of_upload),
        })
    }
}

impl Semaphores {
    /// The semaphore of `owner`; a new one has `permits`.
    fn of(&self, owner: &str, permits: usize) -> Arc<Semaphore> {
        let mut semaphores = self.0.lock();
        semaphores.retain(|_, semaphore| semaphore.strong_count() > 0);
        let known = semaphores.get(owner).and_then(Weak::upgrade);
        let semaphore = known.unwrap_or_else(|| Arc::new(Semaphore::new(permits)));
        semaphores.insert(owner.to_owned(), Arc::downgrade(&semaphore));
        semaphore
    }
}

impl Ticket {
    /// Waits for the right to run.
    pub async fn wait(self) -> Running {
        const OPEN: &str = "the semaphores are never closed";
        // First among the requests of the upload and of the user, so that few of them are in the
        // common queue.
        let of_upload = match &self.of_upload {
            Some(of_upload) => Some(Arc::clone(of_upload).acquire_owned().await.expect(OPEN)),
            None => None,
        };
        let own = Arc::clone(&self.own).acquire_owned().await.expect(OPEN);
        let all = Arc::clone(&self.queue.0.all).acquire_owned().await.expect(OPEN);
        Running { _all: all, _own: own, _of_upload: of_upload, _ticket: self }
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::*;

    type Waiting = Pin<Box<dyn Future<Output = Running>>>;

    fn queue(
        running: usize,
        running_of_user: usize,
        tickets: usize,
        tickets_of_user: usize,
    ) -> FairQueue {
        let bounds =
            Bounds { running, running_of_user, tickets, tickets_of_user, tickets_of_upload: 2 };
        FairQueue::new(bounds)
    }

    /// A ticket for an upload that nobody else has.
    fn ticket(queue: &FairQueue, user: &str) -> Option<Ticket> {
        static UPLOADS: AtomicUsize = AtomicUsize::new(0);
        queue.ticket_of_upload(user, &UPLOADS.fetch_add(1, Ordering::Relaxed).to_string())
    }

    fn wait(queue: &FairQueue, user: &str) -> Waiting {
        Box::pin(ticket(queue, user).expect("a ticket is left").wait())
    }

    fn poll(waiting: &mut Waiting) -> Option<Running> {
        match waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(running) => Some(running),
            Poll::Pending => None,
        }
    }

    #[test]
    fn one_user_leaves_turns_to_others_and_waits_in_order() {
        let queue = queue(3, 2, 8, 5);
        let mut alice: Vec<Waiting> = (0..5).map(|_| wait(&queue, "alice")).collect();
        assert!(ticket(&queue, "alice").is_none(), "her tickets are taken");
        let mut running: Vec<Running> =
            alice.drain(..2).filter_map(|mut one| poll(&mut one)).collect();
        assert_eq!(running.len(), 2);
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "she runs all that she may");
        // Somebody else runs at once, though she came first; then all that may run does.
        let (mut bob, mut second) = (wait(&queue, "bob"), wait(&queue, "bob"));
        let bob = poll(&mut bob).expect("one more may run");
        assert!(poll(&mut second).is_none());
        drop(wait(&queue, "carol"));
        assert!(ticket(&queue, "carol").is_some_and(|_| true), "a dropped ticket is free");
        // The next to run is the one that waits in the common queue; of hers, the first.
        drop(running.pop());
        let second = poll(&mut second).expect("it is his turn");
        assert!(alice.iter_mut().all(|one| poll(one).is_none()), "all that may run does");
        drop((bob, second));
        let first = poll(&mut alice[0]).expect("she may run one more");
        assert!(poll(&mut alice[1]).is_none());
        drop((first, running, alice));
        assert!(queue.0.tickets.take("dora", 8, 8).is_some());
        assert!((0..5).map(|_| ticket(&queue, "alice")).all(|ticket| ticket.is_some()));
    }

    #[test]
    fn tickets_are_bounded_for_all_together() {
        let queue = queue(1, 1, 2, 2);
        let tickets = [ticket(&queue, "alice"), ticket(&queue, "bob")];
        assert!(ticket(&queue, "carol").is_none());
        drop(tickets);
        assert!(ticket(&queue, "carol").is_some());
    }

    #[test]
    fn one_upload_runs_once_and_has_few_tickets() {
        let queue = queue(4, 3, 8, 8);
        let ticket = |upload| queue.ticket_of_upload("alice", upload);
        let wait = |upload| -> Waiting { Box::pin(ticket(upload).expect("a ticket").wait()) };
        let (mut first, mut second) = (wait("a"), wait("a"));
        let running = poll(&mut first).expect("nobody else is there");
        assert!(poll(&mut second).is_none(), "the upload runs already");
        assert!(ticket("a").is_none(), "and its tickets are taken");
        let other = poll(&mut wait("b")).expect("another upload of hers may run");
        drop(running);
        let running = poll(&mut second).expect("the first one has ended");
        drop((first, other, running));
        drop(second);
        assert!(ticket("a").is_some());
        assert!(queue.0.tickets_of_uploads.take("a", 2, 8).is_some());
    }
}
