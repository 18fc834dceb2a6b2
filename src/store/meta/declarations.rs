//! What uploads declare beyond S3: a table of its own, so that plain uploads pay nothing.
//!
//! **Invariants**
//! - A row stands here exactly for the open uploads whose `declared` is 1; it goes with them.
//! - With a size, every stored part has the bytes that its number has by it: a part is judged in
//!   the transaction that stores it.
//! - `next_part` is the lowest number without a part; it only ever rises, as parts of an open
//!   upload are replaced but never taken away.
//! - There is at most one open upload of each fingerprint, so of many Creates at once one makes the
//!   upload and the others are given it.

use rusqlite::{Connection, params};

use super::job::Txn;
use super::rows::damaged;
use crate::store::declared::{Declaration, WholeDigests};
use crate::store::error::{Error, Result};
use crate::types::{Layout, PART_NUMBER_MAX, PartNumber, UploadId};

/// Adds what an upload declares, for its first creator.
pub(crate) fn insert(
    txn: &Txn<'_>,
    id: UploadId,
    declaration: &Declaration,
    fingerprint: Option<[u8; 32]>,
) -> Result<()> {
    let Declaration { layout, digests } = declaration;
    txn.execute(
        "INSERT INTO declarations
             (upload, size, part_size, md5, sha256, fingerprint, creators, next_part)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, 1)",
        params![
            id,
            layout.map(Layout::size),
            layout.map(Layout::part_size),
            digests.md5,
            digests.sha256,
            fingerprint,
        ],
    )?;
    Ok(())
}

/// What an upload declared whose `declared` is 1.
pub(crate) fn read(connection: &Connection, id: UploadId) -> Result<Declaration> {
    let mut statement = connection.prepare_cached(
        "SELECT size, part_size, md5, sha256 FROM declarations WHERE upload = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| damaged(format!("upload {id} has no declaration")))?;
    let size: Option<u64> = row.get("size")?;
    let part_size: Option<u64> = row.get("part_size")?;
    let layout = match size.zip(part_size) {
        Some((size, part_size)) => Some(
            Layout::new(size, part_size)
                .ok_or_else(|| damaged(format!("the layout of upload {id}")))?,
        ),
        None => None,
    };
    let digests = WholeDigests { md5: row.get("md5")?, sha256: row.get("sha256")? };
    Ok(Declaration { layout, digests })
}

/// Judges a part of a declared upload, before its row is written.
pub(crate) fn judge_part(txn: &Txn<'_>, id: UploadId, number: PartNumber, size: u64) -> Result<()> {
    let Some(layout) = read(txn.connection, id)?.layout else { return Ok(()) };
    match layout.bytes_of(number) {
        Some(expected) if expected == size => Ok(()),
        expected => Err(Error::PartMisfit { number, size, expected }),
    }
}

/// Notes that a part of a declared upload has its row now; gives the lowest number that is missing,
/// if any is.
pub(crate) fn advance(
    txn: &Txn<'_>,
    id: UploadId,
    number: PartNumber,
) -> Result<Option<PartNumber>> {
    let (size, part_size, next): (Option<u64>, Option<u64>, u16) = txn
        .prepare("SELECT size, part_size, next_part FROM declarations WHERE upload = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let layout = size.zip(part_size).and_then(|(size, part_size)| Layout::new(size, part_size));
    let count = layout.map_or(PART_NUMBER_MAX, Layout::count);
    let next = if number.get() == next {
        let next = first_missing(txn, id, next)?;
        txn.execute("UPDATE declarations SET next_part = ?2 WHERE upload = ?1", params![id, next])?;
        next
    } else {
        next
    };
    Ok(PartNumber::new(next).filter(|next| next.get() <= count))
}

/// The lowest number from `from` on that has no part. Each row is passed once in an upload's life.
fn first_missing(txn: &Txn<'_>, id: UploadId, from: u16) -> Result<u16> {
    let mut statement =
        txn.prepare("SELECT number FROM parts WHERE upload = ?1 AND number >= ?2 ORDER BY number")?;
    let mut rows = statement.query(params![id, from])?;
    let mut next = from;
    while let Some(row) = rows.next()? {
        if row.get::<_, u16>(0)? != next {
            break;
        }
        next += 1;
    }
    Ok(next)
}

/// Takes the row away, with its upload.
pub(crate) fn remove(txn: &Txn<'_>, id: UploadId) -> Result<()> {
    match txn.execute("DELETE FROM declarations WHERE upload = ?1", [id])? {
        1 => Ok(()),
        _ => Err(damaged(format!("upload {id} has no declaration"))),
    }
}
