//! Garbage collector: frees what the `garbage` table lists, and expires uploads.
//!
//! **Invariants**
//! - The transactions are bounded steps ([`garbage`]); a full queue delays them.
//! - A pinned content stays: its reader is not finished.
//! - Nothing expires before the wall clock is trusted ([`super::settled_clock`]).
//! - Bytes are removed before their row: a row without bytes can be freed again, but bytes without
//!   a row are seen only by the sweep.

use std::sync::Weak;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::settled_clock::SettledClock;
use super::sweep::{QUARANTINE_MS, sweep};
use crate::store::blobs::location::Location;
use crate::store::db::sqlite::columns::GarbageKind;
use crate::store::db::sqlite::files;
use crate::store::db::sqlite::garbage::{
    self, Cutoff, DeadBlob, GarbageEntry, STEP_ROWS_MAX, STEP_UPLOADS_MAX,
};
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::engine::{Engine, upgrade};
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Pending;
use crate::store::memory::signal::Wakeup;
use crate::store::records::contents::ContentId;
use crate::types::{BlobId, Timestamp, UploadId};

/// Inline bytes freed in one transaction: they lie on pages of their own.
const STEP_BYTES_MAX: u64 = 1 << 20;
/// Delay after a wake-up, in which more garbage gathers.
const GATHER: Duration = Duration::from_millis(100);
/// Longest time between two reads of the queue.
const IDLE: Duration = Duration::from_secs(60);
/// Interval of the expiry of uploads.
const EXPIRE_EVERY: Duration = Duration::from_secs(60 * 60);
/// Interval of the sweep of files.
const SWEEP_FILES_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Pause after the writer's queue was full.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
/// Attempts of a step while the writer's queue is full.
const BUSY_TIMES_MAX: usize = 100;

/// The background thread.
pub(crate) fn run(engine: &Weak<Engine>, state: &DatabaseState) {
    let (mut expired, mut swept, mut emptied) = <(Option<Instant>, _, Option<Instant>)>::default();
    let mut clock: Option<SettledClock> = None;
    let is_due = |last: Option<Instant>, every| last.is_none_or(|at| at.elapsed() >= every);
    loop {
        {
            let Some(engine) = upgrade(engine) else { return };
            let (now, wall) = (Instant::now(), engine.options.sources.now());
            let clock =
                clock.get_or_insert_with(|| SettledClock::new(now, wall, engine.last_noted));
            let is_settled = clock.observe(now, wall);
            engine.is_clock_settled.store(is_settled, Ordering::Release);
            log("collect garbage", collect(&engine));
            if is_settled && is_due(expired, EXPIRE_EVERY) {
                expired = Some(now);
                log("expire uploads", expire_uploads(&engine, wall));
            }
            if is_due(swept, SWEEP_FILES_EVERY) {
                swept = Some(now);
                log("sweep files", sweep(&engine, is_settled));
            }
            if is_settled && is_due(emptied, SWEEP_FILES_EVERY) {
                emptied = Some(now);
                let old = wall.minus_millis(QUARANTINE_MS);
                log("empty the quarantine", engine.blobs.empty_quarantine(old));
            }
        }
        match state.gc_signal.wait(IDLE) {
            Wakeup::Stop => return,
            Wakeup::TimedOut => {}
            Wakeup::Notified if state.gc_signal.pause(GATHER) => {}
            Wakeup::Notified => return,
        }
    }
}

fn log(what: &'static str, result: Result<u64>) {
    match result {
        Ok(0) | Err(Error::Closed | Error::Poisoned) => {}
        Ok(count) => tracing::debug!(what, count),
        Err(error) => tracing::error!(what, %error, "background work failed"),
    }
}

/// Frees until only pinned contents are left. Returns the number of rows freed.
pub(crate) fn collect(engine: &Engine) -> Result<u64> {
    let _one = engine.collecting.lock();
    let (mut freed, mut failed) = (0, None);
    loop {
        engine.alive()?;
        engine.db.state.unlink_discards();
        let before = freed;
        let mut after = 0;
        loop {
            let entries = garbage::page(&engine.db, after)?;
            let Some(last) = entries.last() else { break };
            after = last.id;
            let (blobs, others): (Vec<_>, Vec<_>) =
                entries.into_iter().partition(|entry| entry.kind == GarbageKind::Blob);
            for step in std::iter::once(free_blobs(engine, blobs))
                .chain(others.iter().map(|entry| unroll(engine, entry)))
            {
                match step {
                    Ok(count) => freed += count,
                    Err(error @ (Error::Closed | Error::Poisoned)) => return Err(error),
                    // An entry that cannot be freed does not stop the others.
                    Err(error) => failed = Some(error),
                }
            }
        }
        if freed == before {
            return failed.map_or(Ok(freed), Err);
        }
    }
}

/// Runs one transaction through the writer's queue, and repeats it while that is full.
fn step<T>(engine: &Engine, submit: impl Fn() -> Pending<T>) -> Result<T> {
    for _ in 0..BUSY_TIMES_MAX {
        match submit().wait() {
            Err(Error::Overloaded) if engine.db.state.gc_signal.pause(BUSY_PAUSE) => {}
            done => return done,
        }
    }
    Err(Error::Overloaded)
}

/// Removes the bytes of dead blobs, then deletes their rows.
fn free_blobs(engine: &Engine, entries: Vec<GarbageEntry>) -> Result<u64> {
    let (mut freed, mut failed) = (0, None);
    let (mut dead, mut bytes): (Vec<DeadBlob>, u64) = (Vec::new(), 0);
    for entry in entries {
        match remove_bytes(engine, &entry) {
            Ok(None) => {}
            Ok(Some(blob)) => {
                bytes += blob.inline_bytes;
                dead.push(blob);
            }
            Err(error) => {
                tracing::error!(%error, "a dropped blob cannot be freed");
                failed = Some(error);
            }
        }
        if bytes >= STEP_BYTES_MAX {
            freed += delete_blobs(engine, std::mem::take(&mut dead))?;
            bytes = 0;
        }
    }
    freed += delete_blobs(engine, dead)?;
    failed.map_or(Ok(freed), Err)
}

/// Removes the file or extent of a dead blob; `None` for a pinned one.
fn remove_bytes(engine: &Engine, entry: &GarbageEntry) -> Result<Option<DeadBlob>> {
    let id = BlobId::from_bytes(entry.id_bytes()?);
    // It was dead before this test, so no later pin of it succeeds.
    if engine.pins.is_pinned(ContentId::Blob(id)) {
        return Ok(None);
    }
    let blob = garbage::dead_blob(&engine.db, entry)?;
    if let Some(at) = blob.at {
        require_apart(engine, at)?;
        match engine.blobs.remove(at) {
            // Punching a hole may need room for metadata of the file system.
            Err(Error::DiskFull) if engine.db.state.ballast.free() => engine.blobs.remove(at)?,
            removed => removed?,
        }
    }
    Ok(Some(blob))
}

/// An error if another row names some of the same bytes: they would be lost with this blob.
fn require_apart(engine: &Engine, at: Location) -> Result<()> {
    let Some(extent) = at.extent else { return Ok(()) };
    match files::is_extent_shared(&engine.db, at.name, extent)? {
        false => Ok(()),
        true => Err(damaged(format!("blob {}: another blob lies in its extent", at.name))),
    }
}

fn delete_blobs(engine: &Engine, dead: Vec<DeadBlob>) -> Result<u64> {
    if dead.is_empty() {
        return Ok(0);
    }
    step(engine, || garbage::delete_blobs(&engine.db, dead.clone()))
}

/// Frees one entry to its end, in steps.
fn unroll(engine: &Engine, entry: &GarbageEntry) -> Result<u64> {
    if entry.kind == GarbageKind::Manifest {
        let id = UploadId::from_bytes(entry.id_bytes()?);
        if engine.pins.is_pinned(ContentId::Manifest(id)) {
            return Ok(0);
        }
    }
    let mut freed = 0;
    loop {
        let (count, done) = step(engine, || garbage::unroll_step(&engine.db, entry.clone()))?;
        freed += count;
        if done {
            return Ok(freed + 1);
        }
    }
}

/// Aborts uploads that were idle or paused too long, and deletes expired tombstones. Returns the
/// number of uploads.
pub(crate) fn expire_uploads(engine: &Engine, now: Timestamp) -> Result<u64> {
    let cutoff = Cutoff {
        active: now.minus_millis(engine.options.upload_idle_ms_max),
        paused: now.minus_millis(engine.options.upload_pause_ms_max),
    };
    let mut aborted = 0;
    let mut after = UploadId::from_bytes([0; 16]);
    while let Some(scan) = garbage::scan_uploads(&engine.db, after, cutoff)? {
        after = scan.last;
        for ids in scan.expired.chunks(STEP_UPLOADS_MAX) {
            aborted += step(engine, || garbage::expire(&engine.db, ids.to_vec(), cutoff))?;
        }
    }
    while step(engine, || garbage::forget_tombstones(&engine.db, now))? == STEP_ROWS_MAX {}
    Ok(aborted)
}
