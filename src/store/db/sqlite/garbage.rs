//! The `garbage` table and the transactions that empty it; expiry of uploads and tombstones.
//!
//! **Invariants**
//! - A transaction deletes at most [`STEP_ROWS_MAX`] rows of blobs or [`STEP_PARTS_MAX`] parts, and
//!   goes through the writer's queue as a step: requests pass it.
//! - The row of `garbage` is deleted last: a step that a crash interrupted is repeated.
//! - A content that is not dead, or has references, is an error and stays.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, params};

use super::blob_row::read_extent;
use super::columns::{GarbageKind, drop_reference};
use super::database::Database;
use super::job::Txn;
use super::upload_changes::UploadChange;
use super::uploads;
use crate::store::blobs::location::Location;
use crate::store::blobs::name::BlobName;
use crate::store::error::{Result, damaged};
use crate::store::memory::pending::Pending;
use crate::store::records::contents::ContentId;
use crate::store::records::events::Cause;
use crate::store::rules::manifest::unpack_numbers;
use crate::types::{BlobId, PartNumber, Timestamp, UploadId};

/// Blobs or tombstones deleted in one transaction, and rows read at once.
pub(crate) const STEP_ROWS_MAX: usize = 256;
/// Parts dropped in one transaction: each is a reference less, and often a blob more to free.
const STEP_PARTS_MAX: usize = 128;
/// Uploads aborted in one transaction.
pub(crate) const STEP_UPLOADS_MAX: usize = 64;

/// A row of `garbage`.
#[derive(Clone)]
pub(crate) struct GarbageEntry {
    pub(crate) id: i64,
    pub(crate) kind: GarbageKind,
    reference: Vec<u8>,
}

impl GarbageEntry {
    /// The id of the blob, manifest or upload that the row names.
    pub(crate) fn id_bytes(&self) -> Result<[u8; 16]> {
        <[u8; 16]>::try_from(self.reference.as_slice())
            .map_err(|_| damaged(format!("garbage row {}", self.id)))
    }
}

/// A dead blob that can be freed.
#[derive(Clone)]
pub(crate) struct DeadBlob {
    entry: i64,
    id: BlobId,
    inline_row: Option<i64>,
    /// Bytes in SQLite; 0 for a blob in a file.
    pub(crate) inline_bytes: u64,
    /// File or extent; `None` for a blob in SQLite.
    pub(crate) at: Option<Location>,
}

/// The first rows with ids above `after`, at most [`STEP_ROWS_MAX`].
pub(crate) fn page(db: &Database, after: i64) -> Result<Vec<GarbageEntry>> {
    let reader = db.readers.take()?;
    let mut statement = reader
        .prepare_cached("SELECT id, kind, ref FROM garbage WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query(params![after, STEP_ROWS_MAX])?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, code): (i64, i64) = (row.get(0)?, row.get(1)?);
        let kind = GarbageKind::from_code(code);
        let kind = kind.ok_or_else(|| damaged(format!("garbage row {id} of kind {code}")))?;
        entries.push(GarbageEntry { id, kind, reference: row.get(2)? });
    }
    Ok(entries)
}

/// The blob that an entry names. An error if it is not dead.
pub(crate) fn dead_blob(db: &Database, entry: &GarbageEntry) -> Result<DeadBlob> {
    let id = BlobId::from_bytes(entry.id_bytes()?);
    let row = db
        .readers
        .take()?
        .prepare_cached(
            "SELECT refs, dead, run, inline_row, size, first_page, pages FROM blobs
             WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let state: (i64, bool) = (row.get(0)?, row.get(1)?);
            let inline: (Option<i64>, u64) = (row.get(3)?, row.get(4)?);
            let name = BlobName { run: row.get(2)?, id };
            Ok((state, inline, Location { name, extent: read_extent(row, 5)? }))
        })
        .optional()?;
    let Some((state, (inline_row, size), at)) = row else {
        return Err(damaged(format!("garbage row {} names blob {id}, which has no row", entry.id)));
    };
    if state != (0, true) {
        return Err(damaged(format!("blob {id} is queued as garbage, but is not dead")));
    }
    let (inline_bytes, at) = if inline_row.is_some() { (size, None) } else { (0, Some(at)) };
    Ok(DeadBlob { entry: entry.id, id, inline_row, inline_bytes, at })
}

/// Deletes the rows of blobs whose bytes are gone; gives their number.
pub(crate) fn delete_blobs(db: &Database, dead: Vec<DeadBlob>) -> Pending<u64> {
    db.free_step(move |txn| {
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

/// Runs one transaction on an entry that is no blob. Returns the number of rows freed, and true
/// when the entry is finished.
pub(crate) fn unroll_step(db: &Database, entry: GarbageEntry) -> Pending<(u64, bool)> {
    db.free_step(move |txn| unroll(txn, &entry))
}

fn unroll(txn: &Txn<'_>, entry: &GarbageEntry) -> Result<(u64, bool)> {
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
        GarbageKind::Blob => unreachable!("blobs are deleted by delete_blobs"),
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

/// Drops those of the next [`STEP_PARTS_MAX`] parts above number `after` that `drop` selects. Gives
/// their number, and true when no part is left.
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

/// Drops parts of a completed upload that its manifest does not list. The column `extra` holds the
/// last part number that was processed.
fn drop_unlisted(txn: &Txn<'_>, entry: &GarbageEntry) -> Result<(u64, bool)> {
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

/// Drops uploads of a deleted bucket.
fn drop_uploads(txn: &Txn<'_>, entry: &GarbageEntry) -> Result<(u64, bool)> {
    let bucket = <[u8; 8]>::try_from(entry.reference.as_slice())
        .map_err(|_| damaged(format!("garbage row {}", entry.id)))?;
    let ids: Vec<UploadId> = txn
        .prepare("SELECT id FROM uploads WHERE bucket = ?1 LIMIT ?2")?
        .query_map(params![i64::from_be_bytes(bucket), STEP_UPLOADS_MAX], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for id in &ids {
        uploads::drop_open(txn, *id, UploadChange::Dropped, &Cause::default())?;
    }
    Ok((ids.len() as u64, ids.len() < STEP_UPLOADS_MAX))
}

/// Times before which the last activity, or the pause, of an upload makes it expire.
#[derive(Clone, Copy)]
pub(crate) struct Cutoff {
    pub(crate) active: Timestamp,
    pub(crate) paused: Timestamp,
}

impl Cutoff {
    fn is_past(&self, active: Timestamp, paused: Option<Timestamp>) -> bool {
        paused.map_or(active < self.active, |since| since < self.paused)
    }
}

/// Open uploads on one page of a scan.
pub(crate) struct UploadScan {
    /// The last id of the page: the next one begins behind it.
    pub(crate) last: UploadId,
    /// Uploads that are past the cutoff.
    pub(crate) expired: Vec<UploadId>,
}

/// Scans the next [`STEP_ROWS_MAX`] open uploads behind `after`; `None` at the end.
pub(crate) fn scan_uploads(
    db: &Database,
    after: UploadId,
    cutoff: Cutoff,
) -> Result<Option<UploadScan>> {
    let page: Vec<(UploadId, Timestamp, Option<Timestamp>)> = db
        .readers
        .take()?
        .prepare_cached(
            "SELECT id, last_active, paused FROM uploads WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after, STEP_ROWS_MAX], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    let Some((last, ..)) = page.last() else { return Ok(None) };
    let is_past = |(_, active, paused): &&_| cutoff.is_past(*active, *paused);
    let expired = page.iter().filter(is_past).map(|(id, ..)| *id).collect();
    Ok(Some(UploadScan { last: *last, expired }))
}

/// Aborts those of at most [`STEP_UPLOADS_MAX`] uploads that are still past the cutoff; gives their
/// number.
pub(crate) fn expire(db: &Database, ids: Vec<UploadId>, cutoff: Cutoff) -> Pending<u64> {
    db.free_step(move |txn| {
        let mut aborted = 0;
        for id in &ids {
            let now: Option<(Timestamp, Option<Timestamp>)> = txn
                .prepare("SELECT last_active, paused FROM uploads WHERE id = ?1")?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            // A part may have been stored since the scan.
            if now.is_some_and(|(active, paused)| cutoff.is_past(active, paused)) {
                uploads::drop_open(txn, *id, UploadChange::Expired, &Cause::default())?;
                aborted += 1;
            }
        }
        Ok(aborted)
    })
}

/// Deletes at most [`STEP_ROWS_MAX`] tombstones that expired before `now`; gives their number.
pub(crate) fn forget_tombstones(db: &Database, now: Timestamp) -> Pending<usize> {
    db.free_step(move |txn| {
        txn.execute(
            "DELETE FROM tombstones WHERE upload IN
                 (SELECT upload FROM tombstones WHERE expires < ?1 ORDER BY expires LIMIT ?2)",
            params![now, STEP_ROWS_MAX],
        )
    })
}
