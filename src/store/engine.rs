//! Internal state of an open store: the database, the files, the tables in memory, the threads.

mod data_folder;
pub(crate) mod open;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use self::data_folder::DataFolder;
use super::db::sqlite::connection::{FILE_NAME, PAGE_BYTES, Role, connect};
use super::db::sqlite::{runs, wal};
use super::error::Result;
use super::memory::damage_log::DamageLog;
use super::memory::digest_cache::DigestCache;
use super::memory::directory::Directory;
use super::memory::pins::Pins;
use crate::access::Bucket;
use crate::store::blobs::files::Blobs;
use crate::store::blobs::lock::DataLock;
use crate::store::blobs::packer::Packing;
use crate::store::db::sqlite::database::Database;
use crate::store::records::health::Health;
use crate::store::records::options::Options;
use crate::store::space::admission::Space;
use crate::types::Timestamp;

/// State of an open store.
pub(crate) struct Engine {
    pub(crate) options: Arc<Options>,
    /// The metadata.
    pub(crate) db: Database,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) space: Arc<Space>,
    pub(crate) pins: Arc<Pins>,
    /// True once the files of ended runs were swept in this run.
    pub(crate) swept: AtomicBool,
    /// True while the wall clock is trusted ([`crate::store::upkeep`]).
    pub(crate) is_clock_settled: AtomicBool,
    /// Digests of whole files that Complete has read.
    pub(crate) verified: DigestCache,
    pub(crate) damage: DamageLog,
    /// Held during a collection of garbage.
    pub(crate) collecting: Mutex<()>,
    /// Queue of small bodies to be packed into segments.
    pub(crate) packing: Packing,
    folder: Arc<DataFolder>,
    /// The last time that earlier runs have noted.
    pub(crate) last_noted: Option<Timestamp>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Released after the threads have ended.
    lock: Mutex<Option<DataLock>>,
}

impl Engine {
    /// Users, keys and buckets.
    pub(crate) fn directory(&self) -> &Directory {
        self.db.directory()
    }

    /// An error once the store is closed or poisoned.
    pub(crate) fn alive(&self) -> Result<()> {
        self.db.alive()
    }

    /// True if contents of this bucket are stored once.
    pub(crate) fn stores_once(&self, bucket: &Bucket) -> bool {
        names(&self.options.dedup_buckets, bucket)
    }

    /// True if this bucket accepts proof of possession instead of data.
    pub(crate) fn takes_proof(&self, bucket: &Bucket) -> bool {
        names(&self.options.proof_buckets, bucket)
    }

    pub(crate) fn health(&self) -> Health {
        if self.alive().is_ok() {
            self.folder.compare(&self.blobs);
        }
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
            damaged: self.damage.lines(),
        }
    }

    /// Answers waiting jobs, stops the threads and releases the lock; the WAL stays. False if it
    /// was called before.
    pub(crate) fn halt(&self) -> bool {
        self.end(|| ())
    }

    /// Moves the WAL into the database and marks the run as ended, beside what [`Engine::halt`]
    /// does.
    pub(crate) fn close(&self) {
        self.end(|| self.last_checkpoint());
    }

    fn end(&self, last: impl FnOnce()) -> bool {
        if self.db.state.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        // Later senders get Closed.
        self.packing.stop();
        let stopped = self.db.sender.stop();
        self.stop_threads();
        self.db.readers.close();
        self.db.state.unlink_discards();
        if stopped && self.blobs.poison_reason().is_none() {
            last();
        }
        *self.lock.lock() = None;
        true
    }

    fn last_checkpoint(&self) {
        match connect(&self.options.data.join(FILE_NAME), Role::Checkpointer) {
            Ok(mut connection) => {
                let now = self.options.sources.now();
                if let Err(error) = runs::end(&connection, self.blobs.run(), now) {
                    tracing::warn!(%error, "the next start marks this run as ended");
                }
                if !wal::truncate(&mut connection, &self.db.state) {
                    tracing::warn!("the WAL could not be emptied; the next start reads it");
                }
            }
            Err(error) => tracing::warn!(%error, "the WAL stays for the next start"),
        }
    }

    fn stop_threads(&self) {
        self.folder.signal.stop();
        self.db.state.gc_signal.stop();
        self.db.state.checkpoint_signal.stop();
        let threads = std::mem::take(&mut *self.threads.lock());
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }
}

/// Upgrades, unless the store is dropped or closed.
pub(crate) fn upgrade(engine: &Weak<Engine>) -> Option<Arc<Engine>> {
    engine.upgrade().filter(|engine| engine.alive().is_ok())
}

/// Number of commits, to detect changes.
pub(crate) fn commits(engine: &Engine) -> u64 {
    engine.db.state.commits.load(Ordering::Acquire)
}

/// True if a list of buckets names this one.
fn names(list: &[String], bucket: &Bucket) -> bool {
    list.iter().any(|name| name == "*" || *name == bucket.name.as_str())
}
