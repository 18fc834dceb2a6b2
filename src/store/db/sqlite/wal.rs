//! Checkpoints: moving the WAL into the database file.
//!
//! - A thread with a connection of its own runs PASSIVE checkpoints, which block nothing.
//! - Above a limit the writer runs RESTART between two batches, if PASSIVE is not running and has
//!   left little to move. It gives up after a moment when a reader blocks it: requests wait
//!   meanwhile.
//! - At twice the limit it does so whatever is left to move.
//! - At half the longest length of the WAL it waits for its turn.
//!
//! So a disk that cannot keep up makes writes slower, and fails none. A long WAL is slow to read,
//! and its corruption would lose more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::connection::PAGE_BYTES;
use super::job::Fault;
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::error::{Error, Result};
use crate::store::memory::signal::Wakeup;
use crate::store::space::admission::Space;

/// Bytes of WAL at which the thread is woken.
const WAKE_BYTES: u64 = 4 << 20;
/// Longest time between two checkpoints.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes that may be left to move for a RESTART that is in no urgency.
const RESTART_LEFT_BYTES: u64 = 1 << 20;
/// Time for which RESTART waits for readers while the WAL is short.
const RESTART_WAIT: Duration = Duration::from_millis(2);
const LATE_RESTART_WAIT: Duration = Duration::from_millis(250);
/// Interval of checks for readers: SQLite itself would check after 1, 3, 8, 18 ms.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Installs a hook on the writer's connection that records the length of the WAL after each commit.
pub(crate) fn watch(connection: &mut Connection, state: &Arc<DatabaseState>) -> Result<()> {
    let state = Arc::clone(state);
    connection.wal_hook(Some(move |_: &mut Wal, frames: std::ffi::c_int| {
        let frames = u64::try_from(frames).unwrap_or(0);
        let before = state.wal_frames.swap(frames, Ordering::AcqRel);
        if frames < before {
            // The WAL was restarted.
            state.wal_moved.store(0, Ordering::Release);
        }
        let moved = Some(state.wal_moved.load(Ordering::Acquire)).filter(|&moved| moved <= frames);
        if frames.saturating_sub(moved.unwrap_or(0)) * PAGE_BYTES >= WAKE_BYTES {
            state.checkpoint_signal.notify();
        }
        Ok(())
    }))?;
    Ok(())
}

/// The checkpoint thread. It ends on a stop signal, or when the store is poisoned.
pub(crate) fn run(connection: &Connection, state: &DatabaseState, space: &Space) {
    loop {
        let wakeup = state.checkpoint_signal.wait(IDLE);
        if wakeup == Wakeup::Stop || state.alive().is_err() {
            return;
        }
        // The writer is about to move the rest itself, and needs the lock.
        let is_left = state.restart_due.load(Ordering::Acquire)
            && wakeup == Wakeup::Notified
            && left_bytes(state) <= RESTART_LEFT_BYTES;
        let frames = state.wal_frames.load(Ordering::Acquire);
        // After a restart of the WAL, more frames may seem moved than exist: checkpoint again.
        if !is_left && frames != state.wal_moved.load(Ordering::Acquire) {
            let turn = state.checkpointing.lock();
            let moved = connection
                .wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)
                .map(|(_, moved)| moved);
            note(state, moved);
            drop(turn);
        }
        let free_pages = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0));
        space.set_free_pages(free_pages.unwrap_or(0) * PAGE_BYTES);
        restore_ballast(state, space);
    }
}

/// Moves the WAL of an earlier run into the database at start, before anything is appended to it.
/// That run may have ended because a sync of the WAL failed. Then its frames are in the page cache,
/// marked clean, and perhaps not on the disk: a power cut would lose them and every commit behind
/// them. Moved, they are written again and synced. The file keeps its length, so that it can be
/// written on a full disk. A disk too full to move it is not an error: reads and deletes still
/// work.
pub(crate) fn recover(connection: &Connection) -> Result<()> {
    let moved = connection.wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::RESTART);
    match moved.map_err(Error::from) {
        Ok(_) => Ok(()),
        Err(error) if matches!(Fault::of(&error), Some(Fault::Full)) => {
            tracing::warn!(%error, "the WAL stays: the disk is too full to move it");
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Urgency of a RESTART.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Only when little is left to move.
    None,
    /// Also when much is left to move.
    Some,
    /// Whatever it takes.
    Great,
}

/// Outcome of a RESTART.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Restarted {
    /// The next commit begins at the WAL's start.
    Yes,
    /// Not tried: too much is left to move for now.
    NotYet,
    /// Readers were in the way, for as long as it was to wait.
    Blocked,
}

/// Moves the whole WAL and has the next commit begin at its start, if the urgency allows what that
/// takes.
pub(crate) fn restart(
    connection: &mut Connection,
    state: &DatabaseState,
    urgency: Urgency,
) -> Restarted {
    state.restart_due.store(true, Ordering::Release);
    let _turn = match state.checkpointing.try_lock() {
        Some(turn) => turn,
        None if urgency < Urgency::Great => return Restarted::NotYet,
        None => state.checkpointing.lock(),
    };
    if urgency == Urgency::None && left_bytes(state) > RESTART_LEFT_BYTES {
        state.checkpoint_signal.notify();
        return Restarted::NotYet;
    }
    state.restart_due.store(false, Ordering::Release);
    let wait = if urgency == Urgency::Great { LATE_RESTART_WAIT } else { RESTART_WAIT };
    match checkpoint(connection, state, CheckpointMode::RESTART, wait) {
        true => Restarted::Yes,
        false => Restarted::Blocked,
    }
}

/// Bytes of the WAL that are not in the database file.
fn left_bytes(state: &DatabaseState) -> u64 {
    let moved = state.wal_moved.load(Ordering::Acquire) * PAGE_BYTES;
    state.wal_bytes().saturating_sub(moved)
}

/// Moves the whole WAL and empties its file.
pub(crate) fn truncate(connection: &mut Connection, state: &DatabaseState) -> bool {
    checkpoint(connection, state, CheckpointMode::TRUNCATE, LATE_RESTART_WAIT)
}

fn checkpoint(
    connection: &mut Connection,
    state: &DatabaseState,
    mode: CheckpointMode,
    wait: Duration,
) -> bool {
    // The time begins with the first blocking reader: frames are moved before.
    let mut until = None;
    let looks_again = move |_| {
        let until = *until.get_or_insert_with(|| Instant::now() + wait);
        thread::sleep(LOOK_EVERY);
        Instant::now() < until
    };
    let done = connection
        .busy_handler(Some(looks_again))
        .and_then(|()| connection.wal_checkpoint_v2(Some(MAIN_DB), mode))
        .map(|(_, moved)| moved);
    let waits_again =
        connection.busy_timeout(Duration::from_millis(super::connection::BUSY_MS_MAX));
    let is_done = done.is_ok() && waits_again.is_ok();
    note(state, done.and_then(|moved| waits_again.map(|()| moved)));
    if is_done {
        state.wal_frames.store(0, Ordering::Release);
        state.wal_moved.store(0, Ordering::Release);
    }
    is_done
}

/// Records the result of a checkpoint. A failed write of the database file poisons the store like a
/// failed COMMIT.
fn note(state: &DatabaseState, moved: rusqlite::Result<std::ffi::c_int>) {
    let error = match moved {
        Ok(moved) => {
            let moved = u64::try_from(moved).unwrap_or(0);
            return state.wal_moved.store(moved, Ordering::Release);
        }
        Err(error) => Error::from(error),
    };
    match Fault::of(&error) {
        Some(Fault::Busy) => {}
        Some(Fault::Full) => {
            let freed = state.ballast.free();
            tracing::warn!(freed, "the disk is too full for a checkpoint");
        }
        _ => state.blobs.poison(format!("checkpoint: {error}")),
    }
}

/// Makes the ballast again once there is room for it and the watermark.
fn restore_ballast(state: &DatabaseState, space: &Space) {
    if space.has_room_for(crate::store::space::ballast::BALLAST_BYTES)
        && let Err(error) = state.ballast.restore()
    {
        tracing::warn!(%error, "cannot make the ballast");
    }
}
