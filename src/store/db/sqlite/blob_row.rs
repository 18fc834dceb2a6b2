//! Stored blobs, as their rows tell of them, and with their bytes if those live in SQLite.

use bytes::Bytes;
use rusqlite::{Connection, Row};

use crate::digest::{Digests, crc32c};
use crate::store::blobs::{BlobName, Extent, Location};
use crate::store::db::sqlite::columns::{damaged, read_digests};
use crate::store::error::Result;
use crate::types::BlobId;

/// A row of `blobs`.
#[derive(Clone)]
pub(crate) struct StoredBlob {
    pub(crate) id: BlobId,
    epoch: u64,
    inline_row: Option<i64>,
    extent: Option<Extent>,
    pub(crate) digests: Digests,
}

/// A blob, and its bytes if they live in SQLite.
pub(crate) type LoadedBlob = (StoredBlob, Option<Bytes>);

impl StoredBlob {
    /// How many columns [`Self::of_row`] reads.
    const COLUMNS: usize = 10;

    /// From column `first` on `id`, `epoch`, `inline_row`, `first_page`, `pages`, and those of
    /// [`read_digests`].
    fn of_row(row: &Row<'_>, first: usize) -> Result<Self> {
        Ok(Self {
            id: row.get(first)?,
            epoch: row.get(first + 1)?,
            inline_row: row.get(first + 2)?,
            extent: read_extent(row, first + 3)?,
            digests: read_digests(row, first + 5)?,
        })
    }

    /// Where its bytes are, when SQLite does not have them.
    pub(crate) fn location(&self) -> Location {
        Location { name: BlobName { epoch: self.epoch, id: self.id }, extent: self.extent }
    }
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
        "SELECT id, epoch, inline_row, first_page, pages, size, md5, crc64nvme, sha256, checksum
         FROM blobs WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| damaged(format!("blob {id} has no row")))?;
    StoredBlob::of_row(row, 0)
}

/// A blob with its bytes, if those live in SQLite: one statement, and so one snapshot.
pub(crate) fn load_blob(connection: &Connection, id: BlobId) -> Result<LoadedBlob> {
    let mut statement = connection.prepare_cached(
        "SELECT blobs.id, epoch, inline_row, first_page, pages, size, md5, crc64nvme, sha256,
             checksum, crc32c, bytes
         FROM blobs LEFT JOIN inline_bytes ON inline_bytes.id = inline_row
         WHERE blobs.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or_else(|| damaged(format!("blob {id} has no row")))?;
    loaded_blob(row, 0)
}

/// From column `first` on those of [`StoredBlob::of_row`], then `crc32c` and `bytes`, which are
/// compared.
pub(crate) fn loaded_blob(row: &Row<'_>, first: usize) -> Result<LoadedBlob> {
    let blob = StoredBlob::of_row(row, first)?;
    if blob.inline_row.is_none() {
        return Ok((blob, None));
    }
    let crc: Option<u32> = row.get(first + StoredBlob::COLUMNS)?;
    let bytes = row.get_ref(first + StoredBlob::COLUMNS + 1)?;
    let bytes = bytes.as_blob_or_null().map_err(rusqlite::Error::from)?.unwrap_or_default();
    if crc != Some(crc32c(bytes)) || bytes.len() as u64 != blob.digests.length {
        return Err(damaged(format!("blob {}: its bytes in SQLite do not verify", blob.id)));
    }
    Ok((blob, Some(Bytes::copy_from_slice(bytes))))
}
