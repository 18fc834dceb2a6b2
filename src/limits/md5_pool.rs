//! Pool that computes the MD5 of several bodies side by side ([`crate::digest::lanes`]): one body
//! alone is hashed at 0.65 GB/s by a thread; eight together take a fifth of the time each.
//!
//! No body waits for others. A body that arrives while no thread hashes begins at once, alone; one
//! that arrives meanwhile joins within 32 KiB. A second thread begins once a whole set of lanes
//! waits.
//!
//! **Invariant:** each lane given is given back, or its waiter gets an error; also when
//! the thread that hashes panics, or its runtime ends before it began.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::digest::lanes::{self, LANES, Md5Lane};
use crate::wire::{Error, ErrorCode, Result};

/// A lane that waits for a thread, and the channel that gives it back.
type Waiter = (Md5Lane, oneshot::Sender<Md5Lane>);

/// The pool of one gateway. Cheap to clone; every clone is the same pool.
#[derive(Clone, Default)]
pub struct Md5Pool(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    waiters: Vec<Waiter>,
    /// Threads that hash, or are about to.
    hashing: usize,
}

impl Md5Pool {
    /// Hashes the next bytes of a body on the blocking pool of this runtime.
    pub fn begin(&self, mut lane: Md5Lane, bytes: Bytes) -> Hashed {
        lane.feed(bytes);
        let (sender, receiver) = oneshot::channel();
        if let Some(batcher) = self.join((lane, sender)) {
            tokio::task::spawn_blocking(move || batcher.run());
        }
        Hashed(receiver)
    }

    /// Takes a waiter in; the answer is to be run when another thread is of use.
    fn join(&self, waiter: Waiter) -> Option<Batcher> {
        let mut queue = self.0.lock();
        queue.waiters.push(waiter);
        let needed = queue.hashing == 0 || queue.waiters.len() >= LANES;
        needed.then(|| {
            queue.hashing += 1;
            Batcher { pool: self.clone(), counted: true }
        })
    }
}

/// A lane whose bytes are being hashed.
pub struct Hashed(oneshot::Receiver<Md5Lane>);

impl Hashed {
    /// Waits for it.
    ///
    /// # Errors
    /// InternalError when the thread that hashed is gone.
    pub async fn wait(&mut self) -> Result<Md5Lane> {
        (&mut self.0).await.map_err(|lost| Error::new(ErrorCode::InternalError).caused_by(lost))
    }
}

/// A thread that hashes, or is about to.
struct Batcher {
    pool: Md5Pool,
    /// True if it is counted in [`Queue::hashing`].
    counted: bool,
}

impl Batcher {
    /// Hashes until no lane waits.
    fn run(mut self) {
        let mut lanes = Vec::with_capacity(LANES);
        let mut senders = Vec::with_capacity(LANES);
        while self.fill_lanes(&mut lanes, &mut senders) {
            lanes::advance(&mut lanes);
            for n in (0..lanes.len()).rev() {
                if lanes[n].is_idle() {
                    // The receiver of a body that broke off is gone.
                    let _ = senders.swap_remove(n).send(lanes.swap_remove(n));
                }
            }
        }
    }

    /// Fills the free lanes. False when there is nothing to do: this thread is not counted from
    /// then on, so the next waiter begins another.
    fn fill_lanes(
        &mut self,
        lanes: &mut Vec<Md5Lane>,
        senders: &mut Vec<oneshot::Sender<Md5Lane>>,
    ) -> bool {
        let mut queue = self.pool.0.lock();
        let free = LANES - lanes.len();
        let taken = free.min(queue.waiters.len());
        for (lane, sender) in queue.waiters.drain(..taken) {
            lanes.push(lane);
            senders.push(sender);
        }
        if lanes.is_empty() {
            queue.hashing -= 1;
            self.counted = false;
        }
        !lanes.is_empty()
    }
}

impl Drop for Batcher {
    /// Only when it panicked, or never began: the waiters that count on it must not wait for ever.
    fn drop(&mut self) {
        if self.counted {
            let mut queue = self.pool.0.lock();
            queue.hashing -= 1;
            if queue.hashing == 0 {
                queue.waiters.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sha2::Digest as _;

    use super::*;

    fn waiter(bytes: &Bytes) -> (Waiter, oneshot::Receiver<Md5Lane>) {
        let (sender, receiver) = oneshot::channel();
        let mut lane = Md5Lane::default();
        lane.feed(bytes.clone());
        ((lane, sender), receiver)
    }

    #[test]
    fn a_lane_that_comes_meanwhile_joins_and_a_whole_set_gets_a_thread() {
        let pool = Md5Pool::default();
        let body = Bytes::from(vec![7; 100_000]);
        let (mut threads, mut receivers) = (Vec::new(), Vec::new());
        for n in 0..=LANES {
            let (waiter, receiver) = waiter(&body);
            threads.extend(pool.join(waiter));
            receivers.push(receiver);
            assert_eq!(threads.len(), if n + 1 < LANES { 1 } else { 1 + (n + 2 - LANES) }, "{n}");
        }
        threads.into_iter().for_each(Batcher::run);
        for mut receiver in receivers {
            let md5: [u8; 16] = md5::Md5::digest(&body).into();
            assert_eq!(receiver.try_recv().expect("all were hashed").finish(), md5);
        }
        assert_eq!(pool.0.lock().hashing, 0);
        assert!(pool.join(waiter(&body).0).is_some(), "the next one begins a thread again");
    }

    #[test]
    fn a_thread_that_never_began_leaves_nobody_waiting() {
        let pool = Md5Pool::default();
        let (first, mut receiver) = waiter(&Bytes::from_static(b"lost"));
        drop(pool.join(first).expect("the first one needs a thread"));
        assert_eq!(receiver.try_recv().err(), Some(oneshot::error::TryRecvError::Closed));
        assert!(pool.join(waiter(&Bytes::new()).0).is_some());
    }

    /// Many uploads on several runtimes, pieces of all sizes, some that break off.
    #[test]
    fn lanes_of_several_runtimes_share_a_pool() {
        let pool = Md5Pool::default();
        let uploads = |seed: usize| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let pool = pool.clone();
            runtime.block_on(async move {
                let begin = |n| tokio::spawn(upload(pool.clone(), seed * 20 + n));
                let tasks: Vec<_> = (0..20).map(begin).collect();
                for task in tasks {
                    task.await.expect("no upload fails");
                }
            });
        };
        std::thread::scope(|scope| {
            for seed in 0..3 {
                let uploads = &uploads;
                scope.spawn(move || uploads(seed));
            }
        });
    }

    async fn upload(pool: Md5Pool, seed: usize) {
        let body: Bytes = (0..40_000 + seed * 997).map(|i| (i * 7 + seed) as u8).collect();
        let expected: [u8; 16] = md5::Md5::digest(&body).into();
        let piece = 1 + seed * 331;
        let mut lane = Md5Lane::default();
        for from in (0..body.len()).step_by(piece) {
            let mut hashed = pool.begin(lane, body.slice(from..body.len().min(from + piece)));
            if seed % 7 == 6 && from > 0 {
                return;
            }
            lane = hashed.wait().await.expect("nothing panics");
        }
        assert_eq!(lane.finish(), expected, "{seed}");
    }
}
