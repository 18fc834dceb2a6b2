//! Progress of open uploads.
//!
//! **Invariant:** one page is one snapshot, and reads at most
//! [`progress_part_rows_max`](crate::store::Bounds::progress_part_rows_max) part rows and those of
//! one more upload. No counter is kept when parts arrive.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::database::Database;
use super::declarations;
use super::uploads::{UPLOAD_COLUMNS, read_upload};
use crate::access::{Bucket, UploadPath};
use crate::store::db::sqlite::columns::read_key;
use crate::store::error::{Error, Result, damaged};
use crate::store::records::progress::{
    PartMap, PartRun, ProgressPage, ProgressQuery, UploadProgress,
};
use crate::store::rules::fold::successor;
use crate::types::{BucketName, ObjectKey, PartNumber, UploadId};

/// Runs on one page.
pub(crate) const RUNS_MAX: usize = 1000;

/// Bucket and key of an open upload.
pub(crate) fn locate(db: &Database, id: UploadId) -> Result<Option<(BucketName, ObjectKey)>> {
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT name, key FROM uploads JOIN buckets ON buckets.id = bucket WHERE uploads.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let name: String = row.get("name")?;
    let name = BucketName::parse(&name).ok_or_else(|| damaged("the name of a bucket"))?;
    Ok(Some((name, read_key(row, "key")?)))
}

pub(crate) fn page(db: &Database, bucket: &Bucket, query: &ProgressQuery) -> Result<ProgressPage> {
    db.require_bucket(bucket)?;
    let prefix = query.prefix.as_bytes();
    let nothing = UploadId::from_bytes([0; 16]);
    let (key, id) = match &query.after {
        Some((key, id)) if key.as_bytes() >= prefix => (key.as_bytes(), *id),
        _ => (prefix, nothing),
    };
    let part_rows_max = db.options.bounds.progress_part_rows_max;
    db.readers.snapshot(|connection| {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {UPLOAD_COLUMNS}, declared, content IS NOT NULL AS is_instant FROM uploads
             WHERE bucket = ?1 AND (key, id) > (?2, ?3) AND key < ?4 ORDER BY key, id LIMIT ?5"
        ))?;
        let mut rows =
            statement.query(params![bucket.id, key, id, successor(prefix), query.max + 1])?;
        let (mut uploads, mut counted) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            if uploads.len() == query.max || counted >= part_rows_max {
                return Ok(ProgressPage { uploads, truncated: true });
            }
            let progress = read(db, connection, row)?;
            counted += u64::from(progress.parts);
            uploads.push(progress);
        }
        Ok(ProgressPage { uploads, truncated: false })
    })
}

/// Progress of the upload in this row. A deduplicated upload has no part rows: its declared parts
/// count as received.
fn read(db: &Database, connection: &Connection, row: &Row<'_>) -> Result<UploadProgress> {
    let upload = read_upload(db, row)?;
    let declaration = declarations::of_row(connection, row, upload.id)?;
    let whole = match row.get("is_instant")? {
        true => declaration.as_ref().and_then(|declaration| declaration.layout),
        false => None,
    };
    let (parts, received_bytes) = match whole {
        Some(layout) => (layout.count(), layout.size()),
        None => connection
            .prepare_cached("SELECT count(*), coalesce(sum(size), 0) FROM parts WHERE upload = ?1")?
            .query_row([upload.id], |row| Ok((row.get(0)?, row.get(1)?)))?,
    };
    let is_deduplicated = whole.is_some();
    let last_active = row.get("last_active")?;
    Ok(UploadProgress { upload, declaration, last_active, parts, received_bytes, is_deduplicated })
}

pub(crate) fn map(
    db: &Database,
    path: &UploadPath,
    from: PartNumber,
    max: usize,
) -> Result<PartMap> {
    let UploadPath { bucket, key, id } = path;
    db.require_bucket(bucket)?;
    db.readers.snapshot(|connection| {
        let progress = connection
            .prepare_cached(&format!(
                "SELECT {UPLOAD_COLUMNS}, declared, content IS NOT NULL AS is_instant FROM uploads
                 WHERE id = ?1 AND bucket = ?2 AND key = ?3"
            ))?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| Ok(read(db, connection, row)))
            .optional()?
            .ok_or(Error::NoSuchUpload)??;
        let max = max.min(RUNS_MAX);
        let mut runs = match PartNumber::new(progress.parts).filter(|_| progress.is_deduplicated) {
            Some(last) if from == PartNumber::FIRST => {
                vec![PartRun { first: from, last, bytes: progress.received_bytes }]
            }
            Some(_) => Vec::new(),
            None => read_runs(connection, *id, from, max + 1)?,
        };
        let next = runs.get(max).map(|run| run.first);
        runs.truncate(max);
        Ok(PartMap { progress, runs, next })
    })
}

fn read_runs(
    connection: &Connection,
    id: UploadId,
    from: PartNumber,
    max: usize,
) -> Result<Vec<PartRun>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, size FROM parts WHERE upload = ?1 AND number >= ?2 ORDER BY number",
    )?;
    let mut rows = statement.query(params![id, from])?;
    let mut runs: Vec<PartRun> = Vec::new();
    while let Some(row) = rows.next()? {
        let (number, bytes): (PartNumber, u64) = (row.get(0)?, row.get(1)?);
        if let Some(run) = runs.last_mut().filter(|run| run.last.get() + 1 == number.get()) {
            run.last = number;
            run.bytes += bytes;
        } else if runs.len() < max {
            runs.push(PartRun { first: number, last: number, bytes });
        } else {
            break;
        }
    }
    Ok(runs)
}
