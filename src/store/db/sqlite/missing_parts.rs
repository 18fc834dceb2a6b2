//! Missing parts of open uploads: the gaps between the numbers of stored parts.
//!
//! **Invariant:** one page is one snapshot, one ordered pass over the upload's part rows (at most
//! 10,000), and at most [`GAPS_MAX`] gaps.

use crate::access::UploadPath;
use crate::store::rules::claims::PartDigests;
use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};

use super::database::Database;
use super::uploads;
use crate::store::error::{Error, Result};
use crate::store::records::missing_parts::{Blocks, ClaimedPart, Gap};
use crate::store::records::uploads::OpenUpload;
use crate::types::{Layout, PartNumber, UploadId};

/// Gaps on one page.
pub(crate) const GAPS_MAX: usize = 1000;

/// The gaps from part `from` on, at most `max`.
pub(crate) fn missing(
    db: &Database,
    path: &UploadPath,
    from: PartNumber,
    max: usize,
) -> Result<Blocks> {
    scan(db, path, |connection, layout| {
        let (received_bytes, highest): (u64, u16) = connection
            .prepare_cached(
                "SELECT coalesce(sum(size), 0), coalesce(max(number), 0) FROM parts
                 WHERE upload = ?1",
            )?
            .query_row([path.id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let max = max.min(GAPS_MAX);
        let mut missing = read_gaps(connection, path.id, from, max + 1)?;
        // After the last part, missing parts are known only of a declared file.
        let end = layout.map_or(0, Layout::count);
        let tail = (highest + 1).max(from.get());
        if missing.len() <= max && tail <= end {
            missing.extend(Gap::new(tail, end));
        }
        let next = missing.get(max).map(|gap| gap.first);
        missing.truncate(max);
        Ok(PartScan { received_bytes, missing, next })
    })
}

/// Result of a scan of the parts of an upload.
struct PartScan {
    received_bytes: u64,
    missing: Vec<Gap>,
    next: Option<PartNumber>,
}

/// Scans the parts of an open upload, in one snapshot with the upload itself. A deduplicated upload
/// has no part rows, and nothing of it is missing.
fn scan(
    db: &Database,
    path: &UploadPath,
    parts: impl FnOnce(&Connection, Option<Layout>) -> Result<PartScan>,
) -> Result<Blocks> {
    db.require_bucket(&path.bucket)?;
    db.readers.snapshot(|connection| {
        let OpenUpload { upload, declaration, is_instant } =
            uploads::find_open(db, connection, path)?;
        let layout = declaration.and_then(|declaration| declaration.layout);
        let scan = match is_instant {
            true => {
                let received_bytes = layout.map_or(0, Layout::size);
                PartScan { received_bytes, missing: Vec::new(), next: None }
            }
            false => parts(connection, layout)?,
        };
        let PartScan { received_bytes, missing, next } = scan;
        let bucket = Arc::clone(&path.bucket);
        Ok(Blocks { bucket, upload, layout, received_bytes, missing, next })
    })
}

/// The gaps below the highest part.
fn read_gaps(
    connection: &Connection,
    id: UploadId,
    from: PartNumber,
    max: usize,
) -> Result<Vec<Gap>> {
    let mut statement = connection.prepare_cached(
        "SELECT before, number FROM
             (SELECT number, lag(number, 1, ?2 - 1) OVER (ORDER BY number) AS before
              FROM parts WHERE upload = ?1 AND number >= ?2)
         WHERE number > before + 1 ORDER BY number LIMIT ?3",
    )?;
    let mut rows = statement.query(params![id, from, max])?;
    let mut gaps = Vec::new();
    while let Some(row) = rows.next()? {
        let (before, number): (u16, u16) = (row.get(0)?, row.get(1)?);
        gaps.extend(Gap::new(before + 1, number - 1));
    }
    Ok(gaps)
}

/// Missing parts of an open upload; a part that differs from its claim counts as missing.
pub(crate) fn compare(db: &Database, path: &UploadPath, claims: &[ClaimedPart]) -> Result<Blocks> {
    let claimed: BTreeMap<PartNumber, &ClaimedPart> =
        claims.iter().map(|claim| (claim.number, claim)).collect();
    scan(db, path, |connection, layout| {
        let stored = read_stored(connection, path.id)?;
        let highest = claimed.keys().next_back().copied();
        if let Some((layout, number)) = layout.zip(highest)
            && number.get() > layout.count()
        {
            let size = claimed[&number].size.unwrap_or(0);
            return Err(Error::PartMisfit { number, size, expected: None });
        }
        let end = layout.map_or(highest.map_or(0, PartNumber::get), Layout::count);
        let present = stored
            .iter()
            .filter(|part| claimed.get(&part.number).is_none_or(|claim| part.is(claim)));
        let missing = Gap::between(present.map(|part| part.number.get()), end);
        let received_bytes = stored.iter().map(|part| part.size).sum();
        Ok(PartScan { received_bytes, missing, next: None })
    })
}

fn read_stored(connection: &Connection, id: UploadId) -> Result<Vec<PartDigests>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, parts.size AS size, parts.md5 AS md5, parts.crc64nvme AS crc64nvme, sha256
         FROM parts JOIN blobs ON blobs.id = blob WHERE upload = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([id])?;
    let mut stored = Vec::new();
    while let Some(row) = rows.next()? {
        stored.push(PartDigests {
            number: row.get("number")?,
            size: row.get("size")?,
            md5: row.get("md5")?,
            crc64nvme: row.get::<_, i64>("crc64nvme")?.cast_unsigned(),
            sha256: row.get("sha256")?,
        });
    }
    Ok(stored)
}
