//! State that the writer, its clients and the background threads share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::connection::PAGE_BYTES;
use crate::store::blobs::files::Blobs;
use crate::store::blobs::staged::StagedBlob;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Directory;
use crate::store::memory::signal::Signal;
use crate::store::memory::targets::Targets;
use crate::store::memory::watchers::Watchers;
use crate::store::sources::Sources;
use crate::store::space::ballast::Ballast;

/// Files of refused jobs that wait to be unlinked by the GC thread.
const DISCARDS_MAX: usize = 1024;

/// State of an open database.
pub(crate) struct DatabaseState {
    pub(crate) directory: Directory,
    /// Time, ids and random bytes.
    pub(crate) sources: Sources,
    pub(crate) targets: Targets,
    pub(crate) blobs: Arc<Blobs>,
    pub(crate) ballast: Arc<Ballast>,
    pub(crate) closed: AtomicBool,
    /// Jobs sent and not yet taken.
    pub(crate) waiting: AtomicUsize,
    /// Waiting jobs that are steps.
    pub(crate) steps_waiting: AtomicUsize,
    /// Frames in the WAL, as of the last commit.
    pub(crate) wal_frames: AtomicU64,
    /// Frames of them that are in the database file.
    pub(crate) wal_moved: AtomicU64,
    /// Batches committed by this process: `check` detects changes by it.
    pub(crate) commits: AtomicU64,
    pub(crate) gc_signal: Signal,
    pub(crate) checkpoint_signal: Signal,
    /// True if the WAL has reached the length at which the writer restarts it.
    pub(crate) restart_due: AtomicBool,
    /// Held during a checkpoint. SQLite turns a second one away at once, it does not have it wait.
    pub(crate) checkpointing: Mutex<()>,
    /// Waiters for changes of uploads.
    pub(crate) watchers: Arc<Watchers>,
    discards: Mutex<Vec<StagedBlob>>,
    /// The most rows that one batch has changed: how long the writer is held, on any machine.
    #[cfg(test)]
    pub(crate) most_changes: AtomicU64,
}

impl DatabaseState {
    pub(crate) fn new(
        blobs: Arc<Blobs>,
        ballast: Arc<Ballast>,
        targets: Targets,
        sources: Sources,
    ) -> Self {
        Self {
            directory: Directory::default(),
            sources,
            targets,
            blobs,
            ballast,
            closed: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            steps_waiting: AtomicUsize::new(0),
            wal_frames: AtomicU64::new(0),
            wal_moved: AtomicU64::new(0),
            commits: AtomicU64::new(0),
            gc_signal: Signal::default(),
            checkpoint_signal: Signal::default(),
            restart_due: AtomicBool::new(false),
            checkpointing: Mutex::default(),
            watchers: Arc::default(),
            discards: Mutex::default(),
            #[cfg(test)]
            most_changes: AtomicU64::default(),
        }
    }

    /// An error once the store is closed or poisoned.
    pub(crate) fn alive(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::Closed);
        }
        match self.blobs.poison_reason() {
            Some(_) => Err(Error::Poisoned),
            None => Ok(()),
        }
    }

    /// Bytes of WAL that a reader or a crash would have to go through.
    pub(crate) fn wal_bytes(&self) -> u64 {
        self.wal_frames.load(Ordering::Relaxed) * PAGE_BYTES
    }

    /// Queues a refused body to be removed by the GC thread: removing a large file takes long.
    pub(crate) fn discard(&self, staged: StagedBlob) {
        let mut discards = self.discards.lock();
        if discards.len() < DISCARDS_MAX {
            discards.push(staged);
            drop(discards);
            self.gc_signal.notify();
        }
    }

    /// Unlinks what was discarded.
    pub(crate) fn unlink_discards(&self) {
        let discards = std::mem::take(&mut *self.discards.lock());
        drop(discards);
    }
}
