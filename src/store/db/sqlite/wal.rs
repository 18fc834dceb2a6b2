//! Checkpoints: moving the WAL into the database file.
//!
//! A thread with a connection of its own runs PASSIVE, which holds up nobody. Above a limit the
//! writer runs RESTART between two batches, when PASSIVE is not under way and has left little to
//! do, and gives up after a moment when a reader is in the way: all requests wait meanwhile. At
//! twice the limit what is left does not matter, and when the WAL is half as long as it may be, the
//! writer waits. So a disk that cannot keep up makes writes slower, and refuses none. Long WALs are
//! slow to read and, when they rot, lose more.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use rusqlite::{Connection, MAIN_DB};

use super::connection::PAGE_BYTES;
use super::job::Fault;
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::error::{Error, Result};
use crate::store::memory::bell::Wakeup;
use crate::store::space::Space;

/// Bytes of WAL at which the thread is woken.
const WAKE_BYTES: u64 = 4 << 20;
/// How long the thread waits for a wake-up before it moves what little there is.
const IDLE: Duration = Duration::from_secs(1);
/// Bytes that may be left to move for a RESTART that is in no haste.
const RESTART_LEFT_BYTES: u64 = 1 << 20;
/// How long RESTART waits for readers, while the WAL is not long, and when it is.
const RESTART_WAIT: Duration = Duration::from_millis(2);
const LATE_RESTART_WAIT: Duration = Duration::from_millis(250);
/// How often it looks whether they are gone: SQLite itself would do so after 1, 3, 8, 18 ms.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// Has the writer's connection tell how long the WAL is after each commit.
pub(crate) fn watch(connection: &mut Connection, shared: &Arc<DatabaseState>) -> Result<()> {
    let shared = Arc::clone(shared);
    connection.wal_hook(Some(move |_: &mut Wal, frames: std::ffi::c_int| {
        let frames = u64::try_from(frames).unwrap_or(0);
        let before = shared.wal_frames.swap(frames, Ordering::AcqRel);
        if frames < before {
            // The WAL began anew.
            shared.wal_moved.store(0, Ordering::Release);
        }
        let moved = Some(shared.wal_moved.load(Ordering::Acquire)).filter(|&moved| moved <= frames);
        if frames.saturating_sub(moved.unwrap_or(0)) * PAGE_BYTES >= WAKE_BYTES {
            shared.checkpoint_bell.ring();
        }
        Ok(())
    }))?;
    Ok(())
}

/// The thread: until the bell says stop, or the store is poisoned.
pub(crate) fn run(connection: &Connection, shared: &DatabaseState, space: &Space) {
    loop {
        let heard = shared.checkpoint_bell.wait(IDLE);
        if heard == Wakeup::Stop || shared.alive().is_err() {
            return;
        }
        // The writer is about to do the rest itself, and only needs the turn.
        let is_left = shared.restart_due.load(Ordering::Acquire)
            && heard == Wakeup::Ring
            && left_bytes(shared) <= RESTART_LEFT_BYTES;
        let frames = shared.wal_frames.load(Ordering::Acquire);
        // More may seem to be moved than there is, when the WAL began anew meanwhile: look again.
        if !is_left && frames != shared.wal_moved.load(Ordering::Acquire) {
            // It guards nothing but the turn, so a panic under it has left nothing half done.
            let turn = shared.checkpointing.lock().unwrap_or_else(PoisonError::into_inner);
            let moved = connection
                .wal_checkpoint_v2(Some(MAIN_DB), CheckpointMode::PASSIVE)
                .map(|(_, moved)| moved);
            note(shared, moved);
            drop(turn);
        }
        let free_pages = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0));
        space.tell_free_pages(free_pages.unwrap_or(0) * PAGE_BYTES);
        restore_ballast(shared, space);
    }
}

/// At start: moves what an earlier run left in the WAL, before anything is written behind it. That
/// run may have ended because a sync of the WAL failed. Then the frames are in the system's cache,
/// marked clean, and perhaps not on the disk: what is committed behind them would be lost with them
/// in a power cut. Moved, they are written anew and synced. The file keeps its length, so that it
/// can be written again on a full disk. A disk too full to move it is no reason not to serve and
/// to delete.
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

/// How much a RESTART is needed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// Only when it is quickly done.
    None,
    /// Also when there is much to move.
    Some,
    /// Whatever it takes.
    Great,
}

/// What came of a RESTART.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Restarted {
    /// The next commit begins at the WAL's start.
    Yes,
    /// Not tried: it would have taken too long, and soon will not.
    NotYet,
    /// Readers were in the way, for as long as it was to wait.
    Hindered,
}

/// Moves the whole WAL and has the next commit begin at its start, if the haste allows what that
/// takes.
pub(crate) fn restart(
    connection: &mut Connection,
    shared: &DatabaseState,
    haste: Urgency,
) -> Restarted {
    shared.restart_due.store(true, Ordering::Release);
    let _turn = match shared.checkpointing.try_lock() {
        Ok(turn) => turn,
        Err(TryLockError::WouldBlock) if haste < Urgency::Great => return Restarted::NotYet,
        Err(_) => shared.checkpointing.lock().unwrap_or_else(PoisonError::into_inner),
    };
    if haste == Urgency::None && left_bytes(shared) > RESTART_LEFT_BYTES {
        shared.checkpoint_bell.ring();
        return Restarted::NotYet;
    }
    shared.restart_due.store(false, Ordering::Release);
    let wait = if haste == Urgency::Great { LATE_RESTART_WAIT } else { RESTART_WAIT };
    match checkpoint(connection, shared, CheckpointMode::RESTART, wait) {
        true => Restarted::Yes,
        false => Restarted::Hindered,
    }
}

/// Bytes of the WAL that are not in the database file.
fn left_bytes(shared: &DatabaseState) -> u64 {
    let moved = shared.wal_moved.load(Ordering::Acquire) * PAGE_BYTES;
    shared.wal_bytes().saturating_sub(moved)
}

/// Moves the whole WAL and empties its file.
pub(crate) fn truncate(connection: &mut Connection, shared: &DatabaseState) -> bool {
    checkpoint(connection, shared, CheckpointMode::TRUNCATE, LATE_RESTART_WAIT)
}

fn checkpoint(
    connection: &mut Connection,
    shared: &DatabaseState,
    mode: CheckpointMode,
    wait: Duration,
) -> bool {
    // From the first reader that is in the way: what is to be moved is moved before.
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
    note(shared, done.and_then(|moved| waits_again.map(|()| moved)));
    if is_done {
        shared.wal_frames.store(0, Ordering::Release);
        shared.wal_moved.store(0, Ordering::Release);
    }
    is_done
}

/// What a checkpoint gave. A disk that fails while the database file is written is as bad as one
/// that fails at COMMIT.
fn note(shared: &DatabaseState, moved: rusqlite::Result<std::ffi::c_int>) {
    let error = match moved {
        Ok(moved) => {
            let moved = u64::try_from(moved).unwrap_or(0);
            return shared.wal_moved.store(moved, Ordering::Release);
        }
        Err(error) => Error::from(error),
    };
    match Fault::of(&error) {
        Some(Fault::Busy) => {}
        Some(Fault::Full) => {
            let freed = shared.ballast.free();
            tracing::warn!(freed, "the disk is too full for a checkpoint");
        }
        _ => shared.blobs.poison(format!("checkpoint: {error}")),
    }
}

/// Makes the ballast again once there is room for it and the watermark.
fn restore_ballast(shared: &DatabaseState, space: &Space) {
    if space.has_room_for(crate::store::space::ballast::BALLAST_BYTES)
        && let Err(error) = shared.ballast.restore()
    {
        tracing::warn!(%error, "cannot make the ballast");
    }
}
