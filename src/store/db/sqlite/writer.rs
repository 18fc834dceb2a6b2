//! The writer: the thread that owns the only connection that changes rows.
//!
//! It runs waiting jobs in one transaction, with one fsync for all; each job has a savepoint.
//!
//! **Invariants**
//! - A savepoint is no fault boundary: a full disk or an I/O error can roll back the transaction
//!   under the jobs, and later statements would then commit one by one. After every error the
//!   writer asks SQLite for the state of the transaction. If it is gone, no job of the batch is
//!   answered from its earlier success: each is run again from its start, in a transaction of its
//!   own.
//! - A COMMIT that fails for any other reason than a full disk has an unknown outcome: the store is
//!   poisoned, staged files stay, and the next start decides by the rows.
//! - Effects on memory come after COMMIT and before the answers.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::job::{Fault, Job, JobOutcome, Purpose, RunOutcome, SeqBlock, Txn};
use super::queue::{BatchCounts, Queue, WriterTask};
use super::wal::{Restarted, Urgency, restart};
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;

/// Most jobs in one transaction, besides the step that a full batch may take.
const BATCH_JOBS_MAX: usize = 255;
/// Most bytes of bodies in one transaction.
const BATCH_BYTES_MAX: usize = 4 << 20;
/// Sequence numbers reserved at once: one small transaction for that many PUTs.
const SEQ_BLOCK: i64 = 1 << 16;
/// Unused numbers below which a new block is reserved. A batch, run twice, needs fewer: each of its
/// jobs takes 64 at most, in DeleteObjects.
const SEQ_LEFT_MIN: i64 = 1 << 15;

/// The thread's state.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) queue: Queue,
    pub(crate) state: Arc<DatabaseState>,
    /// Time for which a batch keeps taking waiting jobs.
    pub(crate) batch_time_max: Duration,
    pub(crate) wal_bytes_restart: u64,
    /// Bytes of WAL at which it waits for a running checkpoint.
    pub(crate) wal_bytes_wait: u64,
    /// Bytes of WAL at which the next RESTART is tried.
    pub(crate) restart_at: u64,
    pub(crate) seqs: SeqBlock,
}

impl Writer {
    /// Runs until it is stopped, or until all senders are dropped.
    pub(crate) fn run(mut self) {
        loop {
            let mut counts = BatchCounts::default();
            let job = match self.queue.first(&mut counts) {
                None => return,
                Some(WriterTask::Job(job)) => job,
                #[cfg(test)]
                Some(WriterTask::Inspect(look)) => {
                    look(&self.connection);
                    continue;
                }
            };
            if self.state.blobs.poison_reason().is_none() {
                self.reserve_seqs();
            }
            if self.state.blobs.poison_reason().is_some() {
                // Nothing is acknowledged any more, and no file is unlinked.
                job.finish(JobOutcome::Unknown, &self.state);
                continue;
            }
            self.batch(job, counts);
            self.restart_wal();
        }
    }

    /// Runs `first` and the jobs that wait in one transaction; `counts` includes `first`.
    fn batch(&mut self, first: Box<dyn Job>, mut counts: BatchCounts) {
        let started = Instant::now();
        if let Err(error) = self.connection.execute_batch("BEGIN IMMEDIATE") {
            return self.refuse(vec![first], &error.into());
        }
        #[cfg(test)]
        let before = self.connection.total_changes();
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        let txn = Txn::new(&self.connection, &self.seqs, &self.state);
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            bytes += job.inline_bytes();
            let ran = run_in_savepoint(&txn, job.as_mut());
            jobs.push(job);
            if let RunOutcome::Fault(fault) = ran {
                drop(txn);
                return self.after_fault(jobs, fault);
            }
            let is_full = jobs.len() >= BATCH_JOBS_MAX
                || bytes >= BATCH_BYTES_MAX
                || started.elapsed() >= self.batch_time_max;
            next = match is_full {
                false => self.queue.next(&mut counts),
                true => self.queue.last(&mut counts),
            };
        }
        let effects = txn.into_effects();
        #[cfg(test)]
        let changes = self.connection.total_changes() - before;
        #[cfg(test)]
        self.state.most_changes.fetch_max(changes, Ordering::AcqRel);
        match self.connection.execute_batch("COMMIT") {
            Ok(()) => self.committed(jobs, effects),
            Err(error) => {
                let error = Error::from(error);
                let fault = Fault::of(&error).unwrap_or_else(|| Fault::Broken(error.to_string()));
                self.after_fault(jobs, fault);
            }
        }
    }

    fn committed(&self, jobs: Vec<Box<dyn Job>>, effects: Vec<Effect>) {
        self.state.commits.fetch_add(1, Ordering::AcqRel);
        let garbage = effects.iter().any(|effect| matches!(effect, Effect::Garbage));
        let for_targets: Vec<Effect> =
            effects.iter().filter(|effect| effect.is_for_targets()).cloned().collect();
        for effect in &effects {
            if let Effect::UploadChanged(id) = effect {
                self.state.watchers.notify(*id);
            }
        }
        let of_uploads = |effect| matches!(effect, &Effect::UploadChanged(_) | &Effect::Garbage);
        if !effects.iter().all(of_uploads) {
            self.state.directory.apply(effects);
        }
        for job in jobs {
            job.finish(JobOutcome::Committed, &self.state);
        }
        if garbage {
            self.state.gc_signal.notify();
        }
        for_targets.iter().for_each(|effect| self.state.targets.notify(effect));
    }

    /// Handles a transaction in doubt: makes sure that it is rolled back, then runs each job alone.
    fn after_fault(&self, jobs: Vec<Box<dyn Job>>, fault: Fault) {
        if let Fault::Broken(reason) = fault {
            return self.poison(jobs, reason);
        }
        if let Err(reason) = self.roll_back() {
            return self.poison(jobs, reason);
        }
        tracing::warn!(?fault, jobs = jobs.len(), "a batch was rolled back; each job runs alone");
        for job in jobs {
            if self.state.blobs.poison_reason().is_some() {
                job.finish(JobOutcome::Unknown, &self.state);
            } else {
                self.run_alone(job);
            }
        }
    }

    /// Runs a job in a transaction of its own. On a full disk it runs twice if it frees something.
    fn run_alone(&self, mut job: Box<dyn Job>) {
        for attempt in 0..2 {
            let fault = match self.try_alone(job.as_mut()) {
                Ok(effects) => return self.committed(vec![job], effects),
                Err(fault) => fault,
            };
            if let Fault::Broken(reason) = fault {
                return self.poison(vec![job], reason);
            }
            if let Err(reason) = self.roll_back() {
                return self.poison(vec![job], reason);
            }
            match fault {
                Fault::Full => {
                    // Jobs that add must not use the space that jobs that free need.
                    let frees = job.purpose() == Purpose::Free;
                    let freed = frees && self.state.ballast.free();
                    tracing::warn!(freed, "the disk is full");
                    if attempt > 0 || !freed {
                        return job.finish(JobOutcome::Full, &self.state);
                    }
                }
                _ => return job.finish(JobOutcome::Busy, &self.state),
            }
        }
    }

    /// Runs one job in a transaction of its own. A job that returns an error commits nothing, and
    /// that is its outcome.
    fn try_alone(&self, job: &mut dyn Job) -> std::result::Result<Vec<Effect>, Fault> {
        let fault = |error: rusqlite::Error| {
            let error = Error::from(error);
            Fault::of(&error).unwrap_or_else(|| Fault::Broken(error.to_string()))
        };
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
        let txn = Txn::new(&self.connection, &self.seqs, &self.state);
        let ran = run_caught(&txn, job);
        match ran {
            RunOutcome::Kept if !self.connection.is_autocommit() => {
                let effects = txn.into_effects();
                self.connection.execute_batch("COMMIT").map_err(fault)?;
                Ok(effects)
            }
            RunOutcome::Refused if !self.connection.is_autocommit() => {
                self.connection.execute_batch("ROLLBACK").map_err(fault)?;
                Ok(Vec::new())
            }
            RunOutcome::Fault(fault) => Err(fault),
            RunOutcome::Kept | RunOutcome::Refused => Err(Fault::Lost),
        }
    }

    /// Rolls the transaction back, if SQLite has not done so.
    fn roll_back(&self) -> std::result::Result<(), String> {
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(|error| error.to_string())
    }

    /// Finishes jobs after a failed BEGIN.
    fn refuse(&self, jobs: Vec<Box<dyn Job>>, error: &Error) {
        match Fault::of(error) {
            Some(Fault::Busy) => {
                jobs.into_iter().for_each(|job| job.finish(JobOutcome::Busy, &self.state));
            }
            Some(Fault::Full) => self.after_fault(jobs, Fault::Full),
            _ => self.poison(jobs, error.to_string()),
        }
    }

    fn poison(&self, jobs: Vec<Box<dyn Job>>, reason: String) {
        self.state.blobs.poison(format!("metadata: {reason}"));
        for job in jobs {
            job.finish(JobOutcome::Unknown, &self.state);
        }
        // Best effort, so that readers see the last commit; the outcome stays unknown.
        let _ = self.roll_back();
    }

    /// Keeps a block of sequence numbers that is committed before any of it is used. A number that
    /// a rolled back job has taken is lost, never given twice.
    fn reserve_seqs(&mut self) {
        if self.seqs.end.get() - self.seqs.next.get() >= SEQ_LEFT_MIN {
            return;
        }
        match reserve_block(&self.connection) {
            Ok((first, end)) => {
                self.seqs.next.set(first);
                self.seqs.end.set(end);
            }
            Err(error) => match Fault::of(&error) {
                Some(Fault::Broken(reason)) => self.poison(Vec::new(), reason),
                // The rest of the block is used up; then jobs that need a number fail with
                // DiskFull.
                _ => tracing::error!(%error, "cannot reserve sequence numbers"),
            },
        }
    }

    /// Restarts a WAL above its limit, between batches: beside a busy writer the checkpoint thread
    /// never reaches the WAL's end, and it would grow for ever.
    fn restart_wal(&mut self) {
        let bytes = self.state.wal_bytes();
        if bytes < self.wal_bytes_restart {
            // SQLite restarts the WAL itself when all frames are moved and no reader is active.
            self.restart_at = self.wal_bytes_restart;
        }
        if bytes < self.restart_at || self.state.blobs.poison_reason().is_some() {
            return;
        }
        let urgency = match bytes {
            _ if bytes >= self.wal_bytes_wait => Urgency::Great,
            _ if bytes >= 2 * self.wal_bytes_restart => Urgency::Some,
            _ => Urgency::None,
        };
        match restart(&mut self.connection, &self.state, urgency) {
            Restarted::Yes => self.restart_at = self.wal_bytes_restart,
            Restarted::NotYet => {}
            // Readers do not delay every batch.
            Restarted::Blocked => self.restart_at = bytes + self.wal_bytes_restart / 4,
        }
    }
}

fn reserve_block(connection: &Connection) -> Result<(i64, i64)> {
    let end: i64 = connection
        .prepare_cached(
            "UPDATE counters SET value = value + ?1 WHERE name = 'seq' RETURNING value",
        )?
        .query_row(params![SEQ_BLOCK], |row| row.get(0))?;
    Ok((end - SEQ_BLOCK, end))
}

/// Runs a job in a savepoint, so that only its own changes are undone when it returns an error.
fn run_in_savepoint(txn: &Txn<'_>, job: &mut dyn Job) -> RunOutcome {
    let effects = txn.effect_count();
    if let Err(fault) = control(txn, "SAVEPOINT job") {
        return RunOutcome::Fault(fault);
    }
    let ran = run_caught(txn, job);
    let end = match ran {
        RunOutcome::Kept => "RELEASE job",
        RunOutcome::Refused => {
            txn.forget_effects_after(effects);
            "ROLLBACK TO job; RELEASE job"
        }
        RunOutcome::Fault(_) => return ran,
    };
    // A job that ignored an error of SQLite must not continue outside a transaction.
    if txn.connection.is_autocommit() {
        return RunOutcome::Fault(Fault::Lost);
    }
    match control(txn, end) {
        Ok(()) => ran,
        Err(fault) => RunOutcome::Fault(fault),
    }
}

fn control(txn: &Txn<'_>, sql: &'static str) -> std::result::Result<(), Fault> {
    let run = |sql: &str| txn.prepare(sql)?.execute([]).map_err(Error::from);
    sql.split("; ").try_for_each(|sql| match run(sql) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::of(&error).unwrap_or(Fault::Lost)),
    })
}

/// Runs a job. A panic in it is a broken invariant: it poisons the store, and every waiting client
/// is answered.
fn run_caught(txn: &Txn<'_>, job: &mut dyn Job) -> RunOutcome {
    catch_unwind(AssertUnwindSafe(|| job.run(txn))).unwrap_or_else(|panic| {
        let text = panic_text(&*panic);
        RunOutcome::Fault(Fault::Broken(format!("a panic in a transaction: {text}")))
    })
}

/// The message of a panic.
fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a panic without text")
}
