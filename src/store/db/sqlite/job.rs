//! Jobs: the work of one verb for the writer, and the transaction that it runs in.
//!
//! **Invariants**
//! - A job may be run any number of times: it changes nothing but the transaction. Its answer
//!   counts only when the writer finishes it as committed.
//! - A staged file is kept when its row is committed or the outcome is unknown, else discarded.

use std::cell::{Cell, RefCell};

use rusqlite::{CachedStatement, Connection, ErrorCode, Params};

use crate::store::blobs::staged::{Home, StagedBlob};
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;
use crate::types::Timestamp;

/// The transaction of a batch, as jobs see it.
pub(crate) struct Txn<'c> {
    pub(crate) connection: &'c Connection,
    /// Committed state in memory: rules of events, limits of targets.
    pub(crate) state: &'c DatabaseState,
    effects: RefCell<Vec<Effect>>,
    seqs: &'c SeqBlock,
    is_staged_spare: Cell<bool>,
}

/// Sequence numbers that are reserved in the database and not used yet.
#[derive(Default)]
pub(crate) struct SeqBlock {
    pub(crate) next: Cell<i64>,
    pub(crate) end: Cell<i64>,
}

impl<'c> Txn<'c> {
    pub(crate) fn new(
        connection: &'c Connection,
        seqs: &'c SeqBlock,
        state: &'c DatabaseState,
    ) -> Self {
        let is_staged_spare = Cell::new(false);
        Self { connection, state, effects: RefCell::default(), seqs, is_staged_spare }
    }

    /// The statement, prepared once for the connection.
    pub(crate) fn prepare(&self, sql: &str) -> Result<CachedStatement<'c>> {
        Ok(self.connection.prepare_cached(sql)?)
    }

    /// Runs a statement; gives the number of rows changed.
    pub(crate) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        Ok(self.prepare(sql)?.execute(params)?)
    }

    /// Notes what is to happen outside the database after COMMIT.
    pub(crate) fn effect(&self, effect: Effect) {
        self.effects.borrow_mut().push(effect);
    }

    /// The time now, by the sources of the store.
    pub(crate) fn now(&self) -> Timestamp {
        self.state.sources.now()
    }

    /// A number higher than every one given before, also in earlier runs.
    pub(crate) fn next_seq(&self) -> Result<i64> {
        let seq = self.seqs.next.get();
        if seq >= self.seqs.end.get() {
            // The writer could not reserve a block because the disk is full.
            return Err(Error::DiskFull);
        }
        self.seqs.next.set(seq + 1);
        Ok(seq)
    }

    /// Notes that the job's staged file got no row: it goes when the job is committed.
    pub(crate) fn spare_staged(&self) {
        self.is_staged_spare.set(true);
    }

    pub(crate) fn effect_count(&self) -> usize {
        self.effects.borrow().len()
    }

    pub(crate) fn forget_effects_after(&self, count: usize) {
        self.effects.borrow_mut().truncate(count);
    }

    pub(crate) fn into_effects(self) -> Vec<Effect> {
        self.effects.into_inner()
    }
}

/// Purpose of a job: decides the handling of a full disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Adds something: fails when the disk is full.
    Add,
    /// Frees something: worth the ballast when the disk is full.
    Free,
}

/// Lane of the writer's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// A client waits for this job alone: it goes first.
    Request,
    /// A step of long work: requests pass it.
    Step,
}

/// Outcome of one run of a job.
pub(crate) enum RunOutcome {
    /// The job succeeded: its changes are kept.
    Kept,
    /// The job returned an error: its changes are rolled back. The other jobs of the batch go on.
    Refused,
    /// The transaction itself is in doubt.
    Fault(Fault),
}

/// Fault of a whole transaction.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// The disk, or the limit of the database, is full: nothing was written.
    Full,
    /// Memory is short, or another process holds a lock: nothing was written.
    Busy,
    /// SQLite rolled the transaction back of its own accord.
    Lost,
    /// The disk failed: what is written is not known.
    Broken(String),
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::Database(Box::new(source))
    }
}

impl Fault {
    /// The fault that an error of SQLite means; `None` when it concerns one statement.
    pub(crate) fn of(error: &Error) -> Option<Self> {
        let Error::Database(source) = error else { return None };
        let source = source.downcast_ref::<rusqlite::Error>()?;
        let rusqlite::Error::SqliteFailure(failure, _) = source else { return None };
        // The index of the WAL, a file of its own, could not grow: nothing of the WAL was touched.
        if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE {
            return Some(Self::Full);
        }
        match failure.code {
            ErrorCode::DiskFull => Some(Self::Full),
            ErrorCode::OutOfMemory
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OperationInterrupted => Some(Self::Busy),
            ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::FileLockingProtocolFailed => Some(Self::Broken(source.to_string())),
            _ => None,
        }
    }
}

/// Outcome of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobOutcome {
    /// The transaction that its last run was in is committed.
    Committed,
    /// Not committed: the disk is full.
    Full,
    /// Not committed: it may be tried again.
    Busy,
    /// Unknown, for COMMIT failed: the store is poisoned.
    Unknown,
    /// Not run: the store is closed.
    Closed,
}

/// A job in the queue.
pub(crate) trait Job: Send {
    fn run(&mut self, txn: &Txn<'_>) -> RunOutcome;
    /// Answers, and decides over the staged file.
    fn finish(self: Box<Self>, outcome: JobOutcome, state: &DatabaseState);
    /// Bytes of body that the job writes into SQLite.
    fn inline_bytes(&self) -> usize;
    fn purpose(&self) -> Purpose;
    fn lane(&self) -> Lane {
        Lane::Request
    }
}

/// A job made of a closure, with the body that it stores, if any.
pub(crate) struct Work<T, W, R> {
    pub(crate) work: W,
    pub(crate) staged: Option<StagedBlob>,
    pub(crate) purpose: Purpose,
    pub(crate) lane: Lane,
    /// Answer of the last run, and true if it needs the staged file.
    pub(crate) answer: Option<(Result<T>, bool)>,
    pub(crate) reply: R,
}

impl<T, W, R> Job for Work<T, W, R>
where
    T: Send,
    W: FnMut(&Txn<'_>, Option<&StagedBlob>) -> Result<T> + Send,
    R: FnOnce(Result<T>) + Send,
{
    fn run(&mut self, txn: &Txn<'_>) -> RunOutcome {
        txn.is_staged_spare.set(false);
        let answer = (self.work)(txn, self.staged.as_ref());
        let ran = match &answer {
            Ok(_) => RunOutcome::Kept,
            Err(error) => Fault::of(error).map_or(RunOutcome::Refused, RunOutcome::Fault),
        };
        self.answer = Some((answer, !txn.is_staged_spare.take()));
        ran
    }

    fn finish(self: Box<Self>, outcome: JobOutcome, state: &DatabaseState) {
        let Self { staged, answer, reply, .. } = *self;
        let (answer, needs_staged) = match outcome {
            JobOutcome::Committed => answer.expect("a committed job has been run"),
            JobOutcome::Full => (Err(Error::DiskFull), false),
            JobOutcome::Busy => (Err(Error::Overloaded), false),
            JobOutcome::Unknown => (Err(Error::Poisoned), true),
            JobOutcome::Closed => (Err(Error::Closed), false),
        };
        if let Some(staged) = staged {
            if outcome == JobOutcome::Unknown || answer.is_ok() && needs_staged {
                staged.keep();
            } else {
                state.discard(staged);
            }
        }
        reply(answer);
    }

    fn inline_bytes(&self) -> usize {
        match self.staged.as_ref().map(StagedBlob::home) {
            Some(Home::Inline(bytes)) => bytes.len(),
            _ => 0,
        }
    }

    fn purpose(&self) -> Purpose {
        self.purpose
    }

    fn lane(&self) -> Lane {
        self.lane
    }
}
