//! Declarations of uploads beyond S3: a table of its own, so that plain uploads cost nothing.
//!
//! **Invariants**
//! - The rows are exactly those of open uploads whose `declared` is 1.
//! - With a declared size, every stored part has the size of its number: the transaction that
//!   stores a part checks it.
//! - `next_part` is the lowest number without a part. It only rises, as parts of an open upload are
//!   replaced but never removed.
//! - A fingerprint belongs to one open upload at most, so of concurrent Creates one creates the
//!   upload and the others join it.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::job::Txn;
use crate::store::error::{Error, Result, damaged};
use crate::store::records::declared::{Declaration, WholeDigests};
use crate::store::rules::fingerprint;
use crate::types::{Layout, PART_NUMBER_MAX, PartNumber, UploadId};

/// Inserts the declaration of an upload, for its first creator.
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

/// Replaces the fingerprint of an upload, so that no Create joins it any more.
pub(crate) fn set_apart(txn: &Txn<'_>, id: UploadId) -> Result<()> {
    let sql = "SELECT fingerprint FROM declarations WHERE upload = ?1";
    let fingerprint: Option<[u8; 32]> = txn.prepare(sql)?.query_row([id], |row| row.get(0))?;
    let Some(fingerprint) = fingerprint else { return Ok(()) };
    let sql = "UPDATE declarations SET fingerprint = ?2 WHERE upload = ?1";
    txn.execute(sql, params![id, fingerprint::set_apart(fingerprint, id)]).map(drop)
}

/// Adds a creator to the open upload of this fingerprint; returns its id.
pub(crate) fn join(txn: &Txn<'_>, fingerprint: &[u8; 32]) -> Result<Option<UploadId>> {
    let sql = "UPDATE declarations SET creators = creators + 1 WHERE fingerprint = ?1
         RETURNING upload";
    Ok(txn.prepare(sql)?.query_row([fingerprint], |row| row.get(0)).optional()?)
}

/// Removes a creator, unless it is the last one. True if one was removed.
pub(crate) fn leave(txn: &Txn<'_>, id: UploadId) -> Result<bool> {
    let sql = "UPDATE declarations SET creators = creators - 1 WHERE upload = ?1 AND creators > 1";
    Ok(txn.execute(sql, [id])? == 1)
}

/// Declaration of the upload in this row, if its column `declared` is 1.
pub(crate) fn of_row(
    connection: &Connection,
    row: &Row<'_>,
    id: UploadId,
) -> Result<Option<Declaration>> {
    let is_declared: Option<bool> = row.get("declared")?;
    is_declared.map(|_| read(connection, id)).transpose()
}

/// Declaration of an upload whose `declared` is 1.
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

/// Checks the size of a part of a declared upload, before its row is written.
pub(crate) fn check_part(txn: &Txn<'_>, id: UploadId, number: PartNumber, size: u64) -> Result<()> {
    let Some(layout) = read(txn.connection, id)?.layout else { return Ok(()) };
    match layout.bytes_of(number) {
        Some(expected) if expected == size => Ok(()),
        expected => Err(Error::PartMisfit { number, size, expected }),
    }
}

/// Updates `next_part` after a part was stored; returns the lowest missing number, if any.
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

/// The lowest number from `from` on without a part. Each row is read once in an upload's life.
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

/// Deletes the row, with its upload.
pub(crate) fn remove(txn: &Txn<'_>, id: UploadId) -> Result<()> {
    match txn.execute("DELETE FROM declarations WHERE upload = ?1", [id])? {
        1 => Ok(()),
        _ => Err(damaged(format!("upload {id} has no declaration"))),
    }
}
