//! Rows of blobs, with the bytes of those that are stored in SQLite.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::database::Database;
use crate::digest::{crc32c, crc64nvme};
use crate::store::blobs::location::Extent;
use crate::store::blobs::stored::{LoadedBlob, StoredBlob};
use crate::store::db::sqlite::columns::read_digests;
use crate::store::error::{Result, damaged};
use crate::types::{BlobId, PartNumber, UploadId};

/// Columns that [`blob_of_row`] reads.
const COLUMNS: usize = 10;

/// Reads a blob from column `first` on: `id`, `run`, `inline_row`, `first_page`, `pages`, and those
/// of [`read_digests`]. Also gives the row of its bytes, if they are in the database.
fn blob_of_row(row: &Row<'_>, first: usize) -> Result<(StoredBlob, Option<i64>)> {
    let blob = StoredBlob {
        id: row.get(first)?,
        run: row.get(first + 1)?,
        extent: read_extent(row, first + 3)?,
        digests: read_digests(row, first + 5)?,
    };
    Ok((blob, row.get(first + 2)?))
}

/// The extent in a row of `blobs`: from column `first` on `first_page`, `pages`.
pub(crate) fn read_extent(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Extent>> {
    let first_page: Option<u64> = row.get(first)?;
    let Some(first_page) = first_page else { return Ok(None) };
    Ok(Some(Extent { first_page, pages: row.get(first + 1)? }))
}

/// The row of a blob, without its bytes.
pub(crate) fn read_blob(connection: &Connection, id: BlobId) -> Result<StoredBlob> {
    let mut statement = connection.prepare_cached(
        "SELECT id, run, inline_row, first_page, pages, size, md5, crc64nvme, sha256, checksum
         FROM blobs WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| damaged(format!("blob {id} has no row")))?;
    Ok(blob_of_row(row, 0)?.0)
}

/// A blob with its bytes, if they are in SQLite: one statement, and so one snapshot.
pub(crate) fn load_blob(connection: &Connection, id: BlobId) -> Result<LoadedBlob> {
    let mut statement = connection.prepare_cached(
        "SELECT blobs.id, run, inline_row, first_page, pages, size, md5, crc64nvme, sha256,
             checksum, crc32c, bytes
         FROM blobs LEFT JOIN inline_bytes ON inline_bytes.id = inline_row
         WHERE blobs.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| damaged(format!("blob {id} has no row")))?;
    loaded_blob(row, 0)
}

/// Reads the columns of [`blob_of_row`] from column `first` on, then `crc32c` and `bytes`, which
/// must match. So must the CRC in the blob's row: it tells that these are the bytes of this blob.
pub(crate) fn loaded_blob(row: &Row<'_>, first: usize) -> Result<LoadedBlob> {
    let (blob, inline_row) = blob_of_row(row, first)?;
    if inline_row.is_none() {
        return Ok((blob, None));
    }
    let crc: Option<u32> = row.get(first + COLUMNS)?;
    let bytes = row.get_ref(first + COLUMNS + 1)?;
    let bytes = bytes.as_blob_or_null().map_err(rusqlite::Error::from)?.unwrap_or_default();
    let is_this_blob =
        (bytes.len() as u64, crc64nvme(bytes)) == (blob.digests.length, blob.digests.crc64nvme);
    if crc != Some(crc32c(bytes)) || !is_this_blob {
        return Err(damaged(format!("blob {}: its bytes in SQLite do not verify", blob.id)));
    }
    Ok((blob, Some(Bytes::copy_from_slice(bytes))))
}

/// Reads a blob like [`load_blob`], in a snapshot of its own.
pub(crate) fn load(db: &Database, id: BlobId) -> Result<LoadedBlob> {
    load_blob(&*db.readers.take()?, id)
}

/// The blob of a part of an upload, if it is still `blob`.
pub(crate) fn load_part(
    db: &Database,
    upload: UploadId,
    number: PartNumber,
    blob: BlobId,
) -> Result<Option<LoadedBlob>> {
    db.readers.snapshot(|connection| {
        let sql = "SELECT blob FROM parts WHERE upload = ?1 AND number = ?2";
        let now: Option<BlobId> = connection
            .prepare_cached(sql)?
            .query_row(params![upload, number], |row| row.get(0))
            .optional()?;
        match now == Some(blob) {
            true => load_blob(connection, blob).map(Some),
            false => Ok(None),
        }
    })
}
