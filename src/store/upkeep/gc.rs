//! Frees what verbs have dropped: they only queue a row, here it is unrolled.
//!
//! **Invariants**
//! - A transaction touches at most [`STEP_ROWS_MAX`] blobs or [`STEP_PARTS_MAX`] parts, and goes
//!   through the writer's queue as a step: requests pass it.
//! - A step that was interrupted by a crash is taken up again: the queue's row goes last.
//! - What a reader pins stays. What is not dead, with no reference, is never unlinked.
//! - Bytes go before their row: a row without bytes can be freed again, but bytes without a row
//!   are seen only by the sweep.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use rusqlite::{OptionalExtension as _, params};

use super::sweep::{QUARANTINE_MS, sweep};
use crate::clock;
use crate::store::blobs::{BlobName, EXTENT_PAGES_MAX, Location};
use crate::store::db::sqlite::blob_row::read_extent;
use crate::store::db::sqlite::columns::{GarbageKind, drop_reference};
use crate::store::db::sqlite::job::Txn;
use crate::store::db::sqlite::state::DatabaseState;
use crate::store::db::sqlite::upload_changes::Change;
use crate::store::db::sqlite::uploads;
use crate::store::engine::{Engine, upgrade};
use crate::store::error::damaged;
use crate::store::error::{Error, Result};
use crate::store::memory::bell::Wakeup;
use crate::store::records::ContentId;
use crate::store::records::events::Cause;
use crate::store::rules::manifest::unpack_numbers;
use crate::types::{BlobId, PartNumber, Timestamp, UploadId};

/// Blobs freed in one transaction.
const STEP_ROWS_MAX: usize = 256;
/// Parts dropped in one transaction: each is a reference less, and often a blob more to free.
const STEP_PARTS_MAX: usize = 128;
/// Inline bytes freed in one transaction: they lie on pages of their own.
const STEP_BYTES_MAX: u64 = 1 << 20;
/// Uploads aborted in one transaction.
const STEP_UPLOADS_MAX: usize = 64;
/// How long the thread lets garbage gather after it was woken.
const GATHER: Duration = Duration::from_millis(100);
/// How long the thread waits for a wake-up before it looks at the queue by itself.
const IDLE: Duration = Duration::from_secs(60);
/// How often uploads are expired and files swept.
const EXPIRE_EVERY: Duration = Duration::from_secs(60 * 60);
const SWEEP_EVERY: Duration = Duration::from_secs(24 * 60 * 60);
/// Pause after the writer's queue was found full, and how often it may be.
const BUSY_PAUSE: Duration = Duration::from_millis(20);
const BUSY_TIMES_MAX: usize = 100;

/// The background thread.
pub(crate) fn run(engine: &Weak<Engine>, shared: &DatabaseState) {
    let (mut expired, mut swept): (Option<Instant>, Option<Instant>) = (None, None);
    let is_due = |last: Option<Instant>, every| last.is_none_or(|at| at.elapsed() >= every);
    loop {
        {
            let Some(engine) = upgrade(engine) else { return };
            log("collect garbage", collect(&engine));
            if is_due(expired, EXPIRE_EVERY) {
                expired = Some(Instant::now());
                log("expire uploads", expire_uploads(&engine, clock::now()));
            }
            if is_due(swept, SWEEP_EVERY) {
                swept = Some(Instant::now());
                log("sweep files", sweep(&engine));
                let old = clock::now().minus_millis(QUARANTINE_MS);
                log("empty the quarantine", engine.blobs.empty_quarantine(old));
            }
        }
        match shared.gc_bell.wait(IDLE) {
            Wakeup::Stop => return,
            Wakeup::Silence => {}
            Wakeup::Ring if shared.gc_bell.pause(GATHER) => {}
            Wakeup::Ring => return,
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

/// A row of the queue.
#[derive(Clone)]
struct Entry {
    id: i64,
    kind: GarbageKind,
    reference: Vec<u8>,
}

impl Entry {
    fn id_bytes(&self) -> Result<[u8; 16]> {
        <[u8; 16]>::try_from(self.reference.as_slice())
            .map_err(|_| damaged(format!("garbage row {}", self.id)))
    }
}

/// Frees until nothing is left but what readers pin. Gives the number of rows freed.
pub(crate) fn collect(engine: &Engine) -> Result<u64> {
    let _one = engine.collecting.lock().unwrap_or_else(PoisonError::into_inner);
    let (mut freed, mut failed) = (0, None);
    loop {
        engine.alive()?;
        engine.db.state.unlink_discards();
        let before = freed;
        let mut after = 0;
        loop {
            let entries = read_queue(engine, after)?;
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
                    // One thing that cannot be freed must not keep all others.
                    Err(error) => failed = Some(error),
                }
            }
        }
        if freed == before {
            return failed.map_or(Ok(freed), Err);
        }
    }
}

fn read_queue(engine: &Engine, after: i64) -> Result<Vec<Entry>> {
    let reader = engine.db.readers.take()?;
    let mut statement = reader
        .prepare_cached("SELECT id, kind, ref FROM garbage WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query(params![after, STEP_ROWS_MAX])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, code): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kind = GarbageKind::from_code(code);
        let kind = kind.ok_or_else(|| damaged(format!("garbage row {id} of kind {code}")))?;
        entries.push(Entry { id, kind, reference: row.get(2)? });
    }
    Ok(entries)
}

/// One transaction through the writer's queue, again while that is full.
fn step<T, W>(engine: &Engine, work: W) -> Result<T>
where
    T: Send + 'static,
    W: Fn(&Txn<'_>) -> Result<T> + Send + Sync + 'static,
{
    let work = Arc::new(work);
    for _ in 0..BUSY_TIMES_MAX {
        let again = Arc::clone(&work);
        match engine.db.free_step(move |txn| again(txn)).wait() {
            Err(Error::Overloaded) if engine.db.state.gc_bell.pause(BUSY_PAUSE) => {}
            done => return done,
        }
    }
    Err(Error::Overloaded)
}

/// A dead blob that nobody reads.
#[derive(Clone)]
struct DeadBlob {
    entry: i64,
    id: BlobId,
    inline_row: Option<i64>,
    inline_bytes: u64,
}

/// Unlinks dead blobs, then deletes their rows.
fn free_blobs(engine: &Engine, entries: Vec<Entry>) -> Result<u64> {
    let (mut freed, mut failed) = (0, None);
    let (mut dead, mut bytes): (Vec<DeadBlob>, u64) = (Vec::new(), 0);
    for entry in entries {
        match unlink_blob(engine, &entry) {
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
            freed += delete_blob_rows(engine, std::mem::take(&mut dead))?;
            bytes = 0;
        }
    }
    freed += delete_blob_rows(engine, dead)?;
    failed.map_or(Ok(freed), Err)
}

/// Takes the file away. `None` for a blob that somebody reads.
fn unlink_blob(engine: &Engine, entry: &Entry) -> Result<Option<DeadBlob>> {
    let id = BlobId::from_bytes(entry.id_bytes()?);
    // Dead before this look, so nobody can pin it with success after it.
    if engine.pins.is_pinned(ContentId::Blob(id)) {
        return Ok(None);
    }
    let row = engine
        .db
        .readers
        .take()?
        .prepare_cached(
            "SELECT refs, dead, epoch, inline_row, size, first_page, pages FROM blobs
             WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let state: (i64, bool) = (row.get(0)?, row.get(1)?);
            let inline: (Option<i64>, u64) = (row.get(3)?, row.get(4)?);
            let name = BlobName { epoch: row.get(2)?, id };
            Ok((state, inline, Location { name, extent: read_extent(row, 5)? }))
        })
        .optional()?;
    let Some((state, (inline_row, size), at)) = row else {
        return Err(damaged(format!("garbage row {} names blob {id}, which has no row", entry.id)));
    };
    if state != (0, true) {
        return Err(damaged(format!("blob {id} is queued as garbage, but is not dead")));
    }
    if inline_row.is_none() {
        require_apart(engine, at)?;
        match engine.blobs.remove(at) {
            // A hole may need room for what tells of it.
            Err(Error::DiskFull) if engine.db.state.ballast.free() => engine.blobs.remove(at)?,
            removed => removed?,
        }
    }
    let inline_bytes = if inline_row.is_some() { size } else { 0 };
    Ok(Some(DeadBlob { entry: entry.id, id, inline_row, inline_bytes }))
}

/// Bytes that another row names too would be lost with the first: there must be none.
fn require_apart(engine: &Engine, at: Location) -> Result<()> {
    let Some(extent) = at.extent else { return Ok(()) };
    let is_shared = engine
        .db
        .readers
        .take()?
        .prepare_cached(
            "SELECT 1 FROM blobs WHERE epoch = ?1 AND first_page > ?2 - ?5 AND first_page < ?2 + ?3
                 AND first_page + pages > ?2 AND id <> ?4",
        )?
        .exists(params![
            at.name.epoch,
            extent.first_page,
            extent.pages,
            at.name.id,
            EXTENT_PAGES_MAX
        ])?;
    match is_shared {
        false => Ok(()),
        true => Err(damaged(format!("blob {}: another blob lies in its extent", at.name))),
    }
}

fn delete_blob_rows(engine: &Engine, dead: Vec<DeadBlob>) -> Result<u64> {
    if dead.is_empty() {
        return Ok(0);
    }
    step(engine, move |txn| {
        for blob in &dead {
            if let Some(row) = blob.inline_row {
                txn.execute("DELETE FROM inline_bytes WHERE id = ?1", [row])?;
            }
            txn.execute("DELETE FROM blobs WHERE id = ?1 AND dead = 1 AND refs = 0", [blob.id])?;
            txn.execute("DELETE FROM garbage WHERE id = ?1", [blob.entry])?;
        }
        Ok(dead.len() as u64)
    })
}

/// Unrolls one entry to its end, in steps.
fn unroll(engine: &Engine, entry: &Entry) -> Result<u64> {
    if entry.kind == GarbageKind::Manifest {
        let id = UploadId::from_bytes(entry.id_bytes()?);
        if engine.pins.is_pinned(ContentId::Manifest(id)) {
            return Ok(0);
        }
    }
    let mut freed = 0;
    loop {
        let work = entry.clone();
        let (count, done) = step(engine, move |txn| unroll_step(txn, &work))?;
        freed += count;
        if done {
            return Ok(freed + 1);
        }
    }
}

/// One transaction of an unrolling: the rows freed, and whether the entry is done with.
fn unroll_step(txn: &Txn<'_>, entry: &Entry) -> Result<(u64, bool)> {
    let (count, done) = match entry.kind {
        GarbageKind::Manifest => {
            let id = UploadId::from_bytes(entry.id_bytes()?);
            require_dead(txn, id)?;
            let (count, done) = drop_parts(txn, id, 0, |_| true)?;
            if done {
                txn.execute("DELETE FROM manifest_runs WHERE manifest = ?1", [id])?;
                txn.execute("DELETE FROM manifests WHERE id = ?1", [id])?;
            }
            (count, done)
        }
        GarbageKind::Upload => {
            let id = UploadId::from_bytes(entry.id_bytes()?);
            drop_parts(txn, id, 0, |_| true)?
        }
        GarbageKind::Unlisted => drop_unlisted(txn, entry)?,
        GarbageKind::Bucket => drop_uploads(txn, entry)?,
        GarbageKind::Blob => unreachable!("blobs are freed by free_blobs"),
    };
    if done {
        txn.execute("DELETE FROM garbage WHERE id = ?1", [entry.id])?;
    }
    Ok((count, done))
}

fn require_dead(txn: &Txn<'_>, id: UploadId) -> Result<()> {
    let state: Option<(i64, bool)> = txn
        .prepare("SELECT refs, dead FROM manifests WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    match state {
        Some((0, true)) => Ok(()),
        _ => Err(damaged(format!("manifest {id} is queued as garbage, but is not dead"))),
    }
}

/// Drops up to a step's worth of the part rows above number `after` that `drop` chooses; tells
/// whether these were the last ones.
fn drop_parts(
    txn: &Txn<'_>,
    id: UploadId,
    after: u16,
    drop: impl Fn(PartNumber) -> bool,
) -> Result<(u64, bool)> {
    let parts = read_parts(txn, id, after)?;
    let mut count = 0;
    for (number, blob) in parts.iter().filter(|(number, _)| drop(*number)) {
        txn.execute("DELETE FROM parts WHERE upload = ?1 AND number = ?2", params![id, number])?;
        drop_reference(txn, ContentId::Blob(*blob))?;
        count += 1;
    }
    Ok((count, parts.len() < STEP_PARTS_MAX))
}

fn read_parts(txn: &Txn<'_>, id: UploadId, after: u16) -> Result<Vec<(PartNumber, BlobId)>> {
    let mut statement = txn.prepare(
        "SELECT number, blob FROM parts WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
    )?;
    let rows = statement
        .query_map(params![id, after, STEP_PARTS_MAX], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The parts of a completed upload that its manifest does not list; `extra` says up to which number
/// they have been looked at.
fn drop_unlisted(txn: &Txn<'_>, entry: &Entry) -> Result<(u64, bool)> {
    let id = UploadId::from_bytes(entry.id_bytes()?);
    let after: u16 = txn
        .prepare("SELECT extra FROM garbage WHERE id = ?1")?
        .query_row([entry.id], |row| row.get(0))?;
    let mut listed = HashSet::new();
    let mut statement = txn.prepare("SELECT numbers FROM manifest_runs WHERE manifest = ?1")?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        let numbers = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        listed.extend(unpack_numbers(numbers).ok_or_else(|| damaged(format!("a run of {id}")))?);
    }
    let last = read_parts(txn, id, after)?.last().map_or(after, |(number, _)| number.get());
    let (count, done) = drop_parts(txn, id, after, |number| !listed.contains(&number))?;
    txn.execute("UPDATE garbage SET extra = ?2 WHERE id = ?1", params![entry.id, last])?;
    Ok((count, done))
}

/// The uploads of a deleted bucket.
fn drop_uploads(txn: &Txn<'_>, entry: &Entry) -> Result<(u64, bool)> {
    let bucket = <[u8; 8]>::try_from(entry.reference.as_slice())
        .map_err(|_| damaged(format!("garbage row {}", entry.id)))?;
    let ids: Vec<UploadId> = txn
        .prepare("SELECT id FROM uploads WHERE bucket = ?1 LIMIT ?2")?
        .query_map(params![i64::from_be_bytes(bucket), STEP_UPLOADS_MAX], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        uploads::drop_open(txn, *id, Change::Dropped, &Cause::default())?;
    }
    Ok((ids.len() as u64, ids.len() < STEP_UPLOADS_MAX))
}

/// Before which time an upload must have been active, or paused, to be aborted.
#[derive(Clone, Copy)]
struct Cutoff {
    active: Timestamp,
    paused: Timestamp,
}

impl Cutoff {
    fn is_past(&self, active: Timestamp, paused: Option<Timestamp>) -> bool {
        paused.map_or(active < self.active, |since| since < self.paused)
    }
}

/// Aborts uploads that were idle or paused too long, and forgets tombstones whose time is over.
pub(crate) fn expire_uploads(engine: &Engine, now: Timestamp) -> Result<u64> {
    let cutoff = Cutoff {
        active: now.minus_millis(engine.options.upload_idle_ms_max),
        paused: now.minus_millis(engine.options.upload_pause_ms_max),
    };
    let mut aborted = 0;
    let mut after = UploadId::from_bytes([0; 16]);
    loop {
        // In the order of ids, which is that of initiation: the young ones need no look.
        let page: Vec<(UploadId, Timestamp, Option<Timestamp>)> = engine
            .db
            .readers
            .take()?
            .prepare_cached(
                "SELECT id, last_active, paused FROM uploads WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?
            .query_map(params![after, STEP_ROWS_MAX], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let Some((last, ..)) = page.last() else { break };
        after = *last;
        let is_past = |(_, active, paused): &&_| cutoff.is_past(*active, *paused);
        let idle: Vec<UploadId> = page.iter().filter(is_past).map(|(id, ..)| *id).collect();
        for ids in idle.chunks(STEP_UPLOADS_MAX) {
            let ids = ids.to_vec();
            aborted += step(engine, move |txn| abort_idle(txn, &ids, cutoff))?;
        }
    }
    let forget = move |txn: &Txn<'_>| {
        txn.execute(
            "DELETE FROM tombstones WHERE upload IN
                 (SELECT upload FROM tombstones WHERE expires < ?1 ORDER BY expires LIMIT ?2)",
            params![now, STEP_ROWS_MAX],
        )
    };
    while step(engine, forget)? == STEP_ROWS_MAX {}
    Ok(aborted)
}

fn abort_idle(txn: &Txn<'_>, ids: &[UploadId], cutoff: Cutoff) -> Result<u64> {
    let mut aborted = 0;
    for id in ids {
        let now: Option<(Timestamp, Option<Timestamp>)> = txn
            .prepare("SELECT last_active, paused FROM uploads WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        // A part may have come since the look.
        if now.is_some_and(|(active, paused)| cutoff.is_past(active, paused)) {
            uploads::drop_open(txn, *id, Change::Expired, &Cause::default())?;
            aborted += 1;
        }
    }
    Ok(aborted)
}
