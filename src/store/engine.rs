//! Internal state of an open store: the database, the files, the tables in memory, the threads.

pub(crate) mod open;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use super::blobs::{Blobs, DataLock, Packing};
use super::db::sqlite::Database;
use super::db::sqlite::connection::{FILE_NAME, PAGE_BYTES, Role, connect};
use super::db::sqlite::wal;
use super::error::Result;
use super::memory::digest_cache::DigestCache;
use super::memory::directory::Directory;
use super::memory::pins::Pins;
use super::records::{Health, Options};
use super::space::Space;
use crate::access::Bucket;

/// One open store.
pub(crate) struct Engine {
    pub(crate) options: Arc<Options>,
    /// The metadata.
    pub(crate) db: Database,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) space: Arc<Space>,
    pub(crate) pins: Arc<Pins>,
    /// Whether the files of ended runs have been looked at in this run.
    pub(crate) swept: AtomicBool,
    /// Digests of whole files that Complete has read.
    pub(crate) verified: DigestCache,
    /// One collection of garbage at a time.
    pub(crate) collecting: Mutex<()>,
    /// Where small bodies go that are too large for SQLite.
    pub(crate) packing: Packing,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Given up after the threads have ended.
    lock: Mutex<Option<DataLock>>,
}

impl Engine {
    /// Users, keys and buckets.
    pub(crate) fn directory(&self) -> &Directory {
        self.db.directory()
    }

    /// Whether verbs may be promised anything.
    pub(crate) fn alive(&self) -> Result<()> {
        self.db.alive()
    }

    /// Whether contents of this bucket that are there already are not stored again.
    pub(crate) fn stores_once(&self, bucket: &Bucket) -> bool {
        names(&self.options.dedup_buckets, bucket)
    }

    /// Whether who proves to have a content of this bucket is given it.
    pub(crate) fn takes_proof(&self, bucket: &Bucket) -> bool {
        names(&self.options.proof_buckets, bucket)
    }

    pub(crate) fn health(&self) -> Health {
        let poisoned = self.blobs.poison_reason();
        let wal_bytes = self.db.state.wal_bytes();
        let moved = self.db.state.wal_moved.load(Ordering::Relaxed) * PAGE_BYTES;
        Health {
            writable: self.alive().is_ok()
                && !self.db.is_wal_too_long()
                && self.space.has_room_for(0),
            poisoned,
            wal_bytes: wal_bytes.saturating_sub(moved),
            free_bytes: self.space.free_bytes().unwrap_or(0),
            queue_length: self.db.state.waiting.load(Ordering::Relaxed),
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
        if self.db.state.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        // Whoever sends after this is told that the store is closed.
        self.packing.stop();
        let stopped = self.db.sender.stop();
        self.stop_threads();
        self.db.readers.close();
        self.db.state.unlink_discards();
        if stopped && self.blobs.poison_reason().is_none() {
            last();
        }
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        true
    }

    fn last_checkpoint(&self) {
        match connect(&self.options.data.join(FILE_NAME), Role::Checkpointer) {
            Ok(mut connection) => {
                if !wal::truncate(&mut connection, &self.db.state) {
                    tracing::warn!("the WAL could not be emptied; the next start reads it");
                }
            }
            Err(error) => tracing::warn!(%error, "the WAL stays for the next start"),
        }
    }

    fn stop_threads(&self) {
        self.db.state.gc_bell.stop();
        self.db.state.checkpoint_bell.stop();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

/// Upgrades, unless the store is gone or shall stop.
pub(crate) fn upgrade(engine: &Weak<Engine>) -> Option<Arc<Engine>> {
    engine.upgrade().filter(|engine| engine.alive().is_ok())
}

/// Counts commits, for those who must know whether something changed meanwhile.
pub(crate) fn commits(engine: &Engine) -> u64 {
    engine.db.state.commits.load(Ordering::Acquire)
}

/// Whether a list of buckets names this one.
fn names(list: &[String], bucket: &Bucket) -> bool {
    list.iter().any(|name| name == "*" || *name == bucket.name.as_str())
}
