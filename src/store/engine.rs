//! What stands behind the door: the database, the files, the tables in memory and the threads.

pub(crate) mod open;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use super::blobs::{Blobs, DataLock, Packing, StagedBlob};
use super::error::{Error, Result};
use super::records::{Health, Options};
use super::space::Space;
use crate::access::{Bucket, Permit};
use crate::store::db::sqlite::job::{Job, Lane, Purpose, Txn, Verdict, Work};
use crate::store::db::sqlite::queue::Entrance;
use crate::store::db::sqlite::readers::Readers;
use crate::store::db::sqlite::state::Shared;
use crate::store::db::sqlite::{FILE_NAME, PAGE_BYTES, Role, connect, wal};
use crate::store::memory::digest_cache::Remembered;
use crate::store::memory::directory::Directory;
use crate::store::memory::pending::Pending;
use crate::store::memory::pins::Pins;

/// One open store.
pub(crate) struct Engine {
    pub(crate) options: Options,
    pub(crate) shared: Arc<Shared>,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) space: Arc<Space>,
    pub(crate) pins: Arc<Pins>,
    pub(crate) readers: Readers,
    /// Whether the files of ended runs have been looked at in this run.
    pub(crate) swept: AtomicBool,
    /// Digests of whole files that Complete has read.
    pub(crate) verified: Remembered,
    /// One collection of garbage at a time.
    pub(crate) collecting: Mutex<()>,
    /// Where small bodies go that are too large for SQLite.
    pub(crate) packing: Packing,
    entrance: Entrance,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Given up after the threads have ended.
    lock: Mutex<Option<DataLock>>,
}

impl Engine {
    /// Users, keys and buckets.
    pub(crate) fn directory(&self) -> &Directory {
        &self.shared.directory
    }

    /// Whether verbs may be promised anything.
    pub(crate) fn alive(&self) -> Result<()> {
        self.shared.alive()
    }

    /// Whether the bucket of a permit is still there; for reads.
    pub(crate) fn require_bucket(&self, permit: &Permit) -> Result<Arc<Bucket>> {
        self.alive()?;
        let bucket = permit.bucket();
        match self.directory().has_bucket(bucket) {
            true => Ok(Arc::clone(bucket)),
            false => Err(Error::NoSuchBucket),
        }
    }

    /// Whether contents of this bucket that are there already are not stored again.
    pub(crate) fn stores_once(&self, bucket: &Bucket) -> bool {
        names(&self.options.dedup_buckets, bucket)
    }

    /// Whether who proves to have a content of this bucket is given it.
    pub(crate) fn takes_proof(&self, bucket: &Bucket) -> bool {
        names(&self.options.proof_buckets, bucket)
    }

    /// Has the writer run `work`, which adds something.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Add, Lane::Request, None, move |txn, _| work(txn))
    }

    /// As [`Engine::write`], for one of many steps, which lets requests pass.
    pub(crate) fn write_step<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Add, Lane::Step, None, move |txn, _| work(txn))
    }

    /// Has the writer run `work`, which frees something.
    pub(crate) fn free<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Free, Lane::Request, None, move |txn, _| work(txn))
    }

    /// As [`Engine::free`], for one of many steps, which lets requests pass.
    pub(crate) fn free_step<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Free, Lane::Step, None, move |txn, _| work(txn))
    }

    /// Has the writer run `work`, which adds a row for `staged`.
    pub(crate) fn write_staged<T: Send + 'static>(
        &self,
        staged: StagedBlob,
        mut work: impl FnMut(&Txn<'_>, &StagedBlob) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Add, Lane::Request, Some(staged), move |txn, staged| {
            work(txn, staged.expect("the job was made with a staged blob"))
        })
    }

    fn submit<T: Send + 'static>(
        &self,
        purpose: Purpose,
        lane: Lane,
        staged: Option<StagedBlob>,
        work: impl FnMut(&Txn<'_>, Option<&StagedBlob>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        let (sender, receiver) = oneshot::channel();
        // Nobody may be listening any more; the work is done all the same.
        let reply = move |answer| drop(sender.send(answer));
        self.send(Box::new(Work { work, staged, purpose, lane, answer: None, reply }));
        Pending::waiting(receiver)
    }

    /// Hands a job to the writer, or settles it with the reason why not.
    pub(crate) fn send(&self, job: Box<dyn Job>) {
        let verdict = match self.alive() {
            Ok(()) if self.is_wal_too_long() => {
                self.shared.checkpoint_bell.ring();
                Verdict::Busy
            }
            Ok(()) => match self.entrance.send(job) {
                Ok(()) => return,
                Err((job, verdict)) => return job.settle(verdict, &self.shared),
            },
            Err(Error::Closed) => Verdict::Closed,
            // Poisoned: no file is unlinked any more; the sweep of the next start decides.
            Err(_) => Verdict::Unknown,
        };
        job.settle(verdict, &self.shared);
    }

    /// Whether writes must wait for the checkpoints. Not when everything is moved: then it takes a
    /// write to begin the WAL anew.
    fn is_wal_too_long(&self) -> bool {
        let moved = self.shared.wal_moved.load(Ordering::Acquire);
        self.shared.wal_bytes() > self.options.wal_bytes_max
            && moved != self.shared.wal_frames.load(Ordering::Acquire)
    }

    pub(crate) fn health(&self) -> Health {
        let poisoned = self.blobs.poison_reason();
        let wal_bytes = self.shared.wal_bytes();
        let moved = self.shared.wal_moved.load(Ordering::Relaxed) * PAGE_BYTES;
        Health {
            writable: self.alive().is_ok() && !self.is_wal_too_long() && self.space.has_room_for(0),
            poisoned,
            wal_bytes: wal_bytes.saturating_sub(moved),
            free_bytes: self.space.free_bytes().unwrap_or(0),
            queue_length: self.shared.waiting.load(Ordering::Relaxed),
        }
    }

    /// Answers what waits, stops the threads and gives up the lock; the WAL stays. `false` when
    /// that was done before.
    pub(crate) fn halt(&self) -> bool {
        self.end(|| ())
    }

    /// As [`Engine::halt`], but moves the WAL into the database first.
    pub(crate) fn close(&self) {
        self.end(|| self.last_checkpoint());
    }

    fn end(&self, last: impl FnOnce()) -> bool {
        if self.shared.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        // Whoever sends after this is told that the store is closed.
        self.packing.stop();
        let stopped = self.entrance.stop();
        self.stop_threads();
        self.readers.close();
        self.shared.unlink_discards();
        if stopped && self.blobs.poison_reason().is_none() {
            last();
        }
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        true
    }

    fn last_checkpoint(&self) {
        match connect(&self.options.data.join(FILE_NAME), Role::Checkpointer) {
            Ok(mut connection) => {
                if !wal::truncate(&mut connection, &self.shared) {
                    tracing::warn!("the WAL could not be emptied; the next start reads it");
                }
            }
            Err(error) => tracing::warn!(%error, "the WAL stays for the next start"),
        }
    }

    fn stop_threads(&self) {
        self.shared.gc_bell.stop();
        self.shared.checkpoint_bell.stop();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }

    /// Looks at the writer's own connection.
    #[cfg(test)]
    pub(crate) fn inspect(&self, look: impl FnOnce(&rusqlite::Connection) + Send + 'static) {
        let (done, wait) = std::sync::mpsc::channel();
        let look = Box::new(move |connection: &rusqlite::Connection| {
            look(connection);
            let _ = done.send(());
        });
        self.entrance.inspect(look);
        wait.recv().expect("the writer lives");
    }
}

/// Upgrades, unless the store is gone or shall stop.
pub(crate) fn upgrade(engine: &Weak<Engine>) -> Option<Arc<Engine>> {
    engine.upgrade().filter(|engine| engine.alive().is_ok())
}

/// Counts commits, for those who must know whether something changed meanwhile.
pub(crate) fn commits(engine: &Engine) -> u64 {
    engine.shared.commits.load(Ordering::Acquire)
}

/// Whether a list of buckets names this one.
fn names(list: &[String], bucket: &Bucket) -> bool {
    list.iter().any(|name| name == "*" || *name == bucket.name.as_str())
}
