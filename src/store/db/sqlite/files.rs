//! Files as their rows name them: for the sweep of files without rows, and for the check of both.

use rusqlite::params;

use super::blob_row::read_extent;
use super::database::Database;
use crate::digest::Digests;
use crate::store::blobs::location::{EXTENT_PAGES_MAX, Extent, Location};
use crate::store::blobs::name::{BlobName, SegmentName};
use crate::store::db::sqlite::columns::read_digests;
use crate::store::error::Result;
use crate::types::BlobId;

/// A row of a blob in a file or segment.
pub(crate) struct FileRow {
    pub(crate) at: Location,
    pub(crate) digests: Digests,
}

/// Page of live rows of blobs in files or segments: at most `max` with ids above `after`.
pub(crate) fn page(db: &Database, after: BlobId, max: usize) -> Result<Vec<FileRow>> {
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT first_page, pages, id, run, size, md5, crc64nvme, sha256, checksum FROM blobs
         WHERE id > ?1 AND inline_row IS NULL AND dead = 0 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, max])?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        let name = BlobName { run: row.get("run")?, id: row.get("id")? };
        let at = Location { name, extent: read_extent(row, 0)? };
        page.push(FileRow { at, digests: read_digests(row, 4)? });
    }
    Ok(page)
}

/// True if a row, dead or alive, names this blob in a file of its own.
pub(crate) fn has_own_file(db: &Database, name: BlobName) -> Result<bool> {
    let sql = "SELECT 1 FROM blobs WHERE id = ?1 AND run = ?2 AND inline_row IS NULL
             AND first_page IS NULL";
    Ok(db.readers.take()?.prepare_cached(sql)?.exists(params![name.id, name.run])?)
}

/// True if a row, dead or alive, names this blob in a file or segment.
pub(crate) fn has_row(db: &Database, name: BlobName) -> Result<bool> {
    let sql = "SELECT 1 FROM blobs WHERE id = ?1 AND run = ?2 AND inline_row IS NULL";
    Ok(db.readers.take()?.prepare_cached(sql)?.exists(params![name.id, name.run])?)
}

/// True if a live row names this blob in a file or segment.
pub(crate) fn has_live_row(db: &Database, name: BlobName) -> Result<bool> {
    let sql = "SELECT 1 FROM blobs WHERE id = ?1 AND run = ?2 AND inline_row IS NULL
             AND dead = 0";
    Ok(db.readers.take()?.prepare_cached(sql)?.exists(params![name.id, name.run])?)
}

/// True if a row, dead or alive, names bytes in this segment.
pub(crate) fn has_extents(db: &Database, name: SegmentName) -> Result<bool> {
    let pages = name.pages();
    let sql = "SELECT 1 FROM blobs WHERE run = ?1 AND first_page >= ?2 AND first_page < ?3";
    let reader = db.readers.take()?;
    let is_there = reader.prepare_cached(sql)?.exists(params![name.run, pages.start, pages.end])?;
    Ok(is_there)
}

/// Page of extents in a segment: at most `max` from page `first_page` on, in order.
pub(crate) fn extents_from(
    db: &Database,
    name: SegmentName,
    first_page: u64,
    max: usize,
) -> Result<Vec<Extent>> {
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT first_page, pages FROM blobs
         WHERE run = ?1 AND first_page >= ?2 AND first_page < ?3 ORDER BY first_page LIMIT ?4",
    )?;
    let page = params![name.run, first_page, name.pages().end, max];
    let rows = statement.query_map(page, |row| read_extent(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// True if another blob has a page of this extent.
pub(crate) fn is_extent_shared(db: &Database, name: BlobName, extent: Extent) -> Result<bool> {
    let sql = "SELECT 1 FROM blobs WHERE run = ?1 AND first_page > ?2 - ?5
             AND first_page < ?2 + ?3 AND first_page + pages > ?2 AND id <> ?4";
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(sql)?;
    let Extent { first_page, pages } = extent;
    Ok(statement.exists(params![name.run, first_page, pages, name.id, EXTENT_PAGES_MAX])?)
}
