//! The open database: readers, the writer's queue, and the committed state in memory.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::job::{Job, JobOutcome, Lane, Purpose, Txn, Work};
use super::queue::JobSender;
use super::readers::Readers;
use super::state::DatabaseState;
use crate::access::Bucket;
use crate::store::blobs::staged::StagedBlob;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Directory;
use crate::store::memory::pending::Pending;
use crate::store::records::options::Options;

/// An open database. The verbs take it as their first argument.
pub(crate) struct Database {
    pub(crate) options: Arc<Options>,
    pub(crate) state: Arc<DatabaseState>,
    pub(crate) readers: Readers,
    pub(crate) sender: JobSender,
}

impl Database {
    /// Users, keys and buckets.
    pub(crate) fn directory(&self) -> &Directory {
        &self.state.directory
    }

    /// An error once the store is closed or poisoned.
    pub(crate) fn alive(&self) -> Result<()> {
        self.state.alive()
    }

    /// [`Error::NoSuchBucket`] if the bucket is not there any more; for reads.
    pub(crate) fn require_bucket(&self, bucket: &Bucket) -> Result<()> {
        self.alive()?;
        match self.directory().has_bucket(bucket) {
            true => Ok(()),
            false => Err(Error::NoSuchBucket),
        }
    }

    /// Sends `work`, which adds something, to the writer.
    pub(crate) fn write<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Add, Lane::Request, None, move |txn, _| work(txn))
    }

    /// Sends `work`, a step of long work that adds something, to the writer. Requests pass it.
    pub(crate) fn write_step<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Add, Lane::Step, None, move |txn, _| work(txn))
    }

    /// Sends `work`, which frees something, to the writer.
    pub(crate) fn free<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Free, Lane::Request, None, move |txn, _| work(txn))
    }

    /// Sends `work`, a step of long work that frees something, to the writer. Requests pass it.
    pub(crate) fn free_step<T: Send + 'static>(
        &self,
        mut work: impl FnMut(&Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Pending<T> {
        self.submit(Purpose::Free, Lane::Step, None, move |txn, _| work(txn))
    }

    /// Sends `work`, which inserts a row for `staged`, to the writer.
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
        // The receiver may be dropped; the work is done all the same.
        let reply = move |answer| drop(sender.send(answer));
        self.send(Box::new(Work { work, staged, purpose, lane, answer: None, reply }));
        Pending::waiting(receiver)
    }

    /// Hands a job to the writer, or settles it with the reason why not.
    pub(crate) fn send(&self, job: Box<dyn Job>) {
        let outcome = match self.alive() {
            Ok(()) if self.is_wal_too_long() => {
                self.state.checkpoint_signal.notify();
                JobOutcome::Busy
            }
            Ok(()) => match self.sender.send(job) {
                Ok(()) => return,
                Err((job, outcome)) => return job.finish(outcome, &self.state),
            },
            Err(Error::Closed) => JobOutcome::Closed,
            // Poisoned: no file is unlinked; the sweep of the next start decides.
            Err(_) => JobOutcome::Unknown,
        };
        job.finish(outcome, &self.state);
    }

    /// True if writes must wait for a checkpoint. False when all frames are moved: then a write
    /// restarts the WAL.
    pub(crate) fn is_wal_too_long(&self) -> bool {
        let moved = self.state.wal_moved.load(Ordering::Acquire);
        self.state.wal_bytes() > self.options.wal_bytes_max
            && moved != self.state.wal_frames.load(Ordering::Acquire)
    }

    /// Looks at the writer's own connection.
    #[cfg(test)]
    pub(crate) fn inspect(&self, look: impl FnOnce(&rusqlite::Connection) + Send + 'static) {
        let (done, wait) = std::sync::mpsc::channel();
        let look = Box::new(move |connection: &rusqlite::Connection| {
            look(connection);
            let _ = done.send(());
        });
        self.sender.inspect(look);
        wait.recv().expect("the writer lives");
    }
}
