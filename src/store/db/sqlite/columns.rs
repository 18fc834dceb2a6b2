//! Encoding of values in columns, and the statements on contents that several nouns share.

use crate::store::error::damaged;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension as _, Row, RowIndex, ToSql, params};

use super::job::Txn;
use crate::access::Bucket;
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType, Digests, ObjectChecksum, crc32c};
use crate::store::blobs::staged::{Home, StagedBlob};
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;
use crate::store::records::contents::ContentId;
use crate::types::{BlobId, ETag, MessageId, ObjectKey, PartNumber, Timestamp, UploadId};

impl ContentId {
    /// Reads the columns `content_kind` and `content`.
    pub(crate) fn read(row: &Row<'_>, kind: impl RowIndex, content: impl RowIndex) -> Result<Self> {
        let id: [u8; 16] = row.get(content)?;
        match row.get::<_, i64>(kind)? {
            1 => Ok(Self::Blob(BlobId::from_bytes(id))),
            2 => Ok(Self::Manifest(UploadId::from_bytes(id))),
            other => Err(damaged(format!("content kind {other}"))),
        }
    }
}

/// Kind of a row of `garbage`. The number is stored in the database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i64)]
pub(crate) enum GarbageKind {
    /// A dead blob: its file or inline bytes, and its row.
    Blob = 1,
    /// A dead manifest: its parts, runs and row.
    Manifest = 2,
    /// An aborted upload: its parts.
    Upload = 3,
    /// A completed upload: its parts that were not listed.
    Unlisted = 4,
    /// A deleted bucket: its uploads.
    Bucket = 5,
}

impl GarbageKind {
    pub(crate) fn from_code(code: i64) -> Option<Self> {
        [Self::Blob, Self::Manifest, Self::Upload, Self::Unlisted, Self::Bucket]
            .into_iter()
            .find(|kind| *kind as i64 == code)
    }
}

macro_rules! id_column {
    ($id:ty) => {
        impl ToSql for $id {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }
        impl FromSql for $id {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(Self::from_bytes)
            }
        }
    };
}
id_column!(BlobId);
id_column!(UploadId);
id_column!(MessageId);

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // A time past the year 292 million is stored as the highest number.
        Ok(i64::try_from(self.millis()).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::column_result(value).map(Self::from_millis)
    }
}

impl FromSql for PartNumber {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let number = i64::column_result(value)?;
        let valid = u16::try_from(number).ok().and_then(Self::new);
        valid.ok_or(FromSqlError::OutOfRange(number))
    }
}

impl ToSql for PartNumber {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(i64::from(self.get()).into())
    }
}

/// The key in a BLOB column.
pub(crate) fn read_key(row: &Row<'_>, column: &str) -> Result<ObjectKey> {
    let bytes = row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?;
    ObjectKey::parse(bytes).map_err(|_| damaged("a key that is none"))
}

/// The ETag in the columns `md5` and `parts`.
pub(crate) fn read_etag(row: &Row<'_>) -> Result<ETag> {
    Ok(ETag { md5: row.get("md5")?, parts: row.get("parts")? })
}

/// An object's checksum.
pub(crate) fn read_object_checksum(
    row: &Row<'_>,
    column: impl RowIndex,
) -> Result<Option<ObjectChecksum>> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    bytes
        .map(|bytes| ObjectChecksum::decode(bytes).ok_or_else(|| damaged("an object's checksum")))
        .transpose()
}

/// The checksum of a blob or part: the algorithm's code, then the value.
pub(crate) fn encode_checksum(checksum: &Checksum) -> Vec<u8> {
    let mut bytes = vec![checksum.algorithm.code()];
    bytes.extend(&checksum.value);
    bytes
}

/// Decodes the output of [`encode_checksum`].
pub(crate) fn read_checksum(row: &Row<'_>, column: impl RowIndex) -> Result<Option<Checksum>> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let Some(bytes) = bytes else { return Ok(None) };
    let decoded = bytes.split_first().and_then(|(&code, value)| {
        let algorithm = ChecksumAlgorithm::from_code(code)?;
        (value.len() == algorithm.length()).then(|| Checksum { algorithm, value: value.to_vec() })
    });
    decoded.map(Some).ok_or_else(|| damaged("a checksum"))
}

/// The columns `checksum_algorithm` and `checksum_type` of an upload.
pub(crate) fn read_declared(row: &Row<'_>) -> Result<Option<(ChecksumAlgorithm, ChecksumType)>> {
    let algorithm: Option<u8> = row.get("checksum_algorithm")?;
    let kind: Option<u8> = row.get("checksum_type")?;
    let (Some(algorithm), Some(kind)) = (algorithm, kind) else { return Ok(None) };
    let declared = ChecksumAlgorithm::from_code(algorithm).zip(ChecksumType::from_code(kind));
    declared.map(Some).ok_or_else(|| damaged("an upload's checksum"))
}

/// The bucket must still be there.
pub(crate) fn require_bucket(txn: &Txn<'_>, bucket: &Bucket) -> Result<()> {
    let there = txn
        .prepare("SELECT 1 FROM buckets WHERE id = ?1")?
        .query_row([bucket.id], |_| Ok(()))
        .optional()?;
    there.ok_or(Error::NoSuchBucket)
}

/// Inserts the row of a new blob, with one reference, and its bytes if they are stored in SQLite.
/// [`super::contents`] first looks for an existing blob of the same bytes.
pub(crate) fn insert_blob(txn: &Txn<'_>, staged: &StagedBlob) -> Result<()> {
    let (run, inline_row, extent) = match staged.home() {
        Home::Disk(at) => (at.name.run, None, at.extent),
        Home::Inline(bytes) => {
            txn.prepare("INSERT INTO inline_bytes (crc32c, bytes) VALUES (?1, ?2)")?
                .execute(params![crc32c(bytes), &bytes[..]])?;
            (0, Some(txn.connection.last_insert_rowid()), None)
        }
    };
    let digests = staged.digests();
    txn.prepare(
        "INSERT INTO blobs
             (id, refs, dead, size, run, inline_row, md5, crc64nvme, sha256, checksum,
                 first_page, pages)
         VALUES (?1, 1, 0, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        staged.id(),
        digests.length,
        run,
        inline_row,
        digests.md5,
        digests.crc64nvme.cast_signed(),
        digests.sha256,
        digests.checksum.as_ref().map(encode_checksum),
        extent.map(|extent| extent.first_page),
        extent.map(|extent| extent.pages),
    ])?;
    Ok(())
}

/// The digests in a row of `blobs`: from column `first` on `size`, `md5`, `crc64nvme`, `sha256`,
/// `checksum`. By number, for each GetObject reads them.
pub(crate) fn read_digests(row: &Row<'_>, first: usize) -> Result<Digests> {
    Ok(Digests {
        length: row.get(first)?,
        md5: row.get(first + 1)?,
        crc64nvme: row.get::<_, i64>(first + 2)?.cast_unsigned(),
        sha256: row.get(first + 3)?,
        checksum: read_checksum(row, first + 4)?,
    })
}

/// Adds a reference. False if the content is dead or has no row.
pub(crate) fn reference(txn: &Txn<'_>, content: ContentId) -> Result<bool> {
    let sql = match content {
        ContentId::Blob(_) => "UPDATE blobs SET refs = refs + 1 WHERE id = ?1 AND dead = 0",
        ContentId::Manifest(_) => "UPDATE manifests SET refs = refs + 1 WHERE id = ?1 AND dead = 0",
    };
    Ok(txn.prepare(sql)?.execute([content.bytes()])? == 1)
}

/// Removes a reference. With the last one the content is dead for good, and is queued to be freed.
pub(crate) fn drop_reference(txn: &Txn<'_>, content: ContentId) -> Result<()> {
    let (sql, kind) = match content {
        ContentId::Blob(_) => (
            "UPDATE blobs SET refs = refs - 1, dead = (refs = 1)
             WHERE id = ?1 AND dead = 0 RETURNING dead",
            GarbageKind::Blob,
        ),
        ContentId::Manifest(_) => (
            "UPDATE manifests SET refs = refs - 1, dead = (refs = 1)
             WHERE id = ?1 AND dead = 0 RETURNING dead",
            GarbageKind::Manifest,
        ),
    };
    let dead: Option<bool> =
        txn.prepare(sql)?.query_row([content.bytes()], |row| row.get(0)).optional()?;
    match dead {
        Some(true) => enqueue(txn, kind, &content.bytes()),
        Some(false) => Ok(()),
        None => Err(damaged(format!("{content:?} is referenced, but dead or gone"))),
    }
}

/// Queues something to be freed by GC.
pub(crate) fn enqueue(txn: &Txn<'_>, kind: GarbageKind, reference: &[u8]) -> Result<()> {
    txn.prepare("INSERT INTO garbage (kind, ref, extra) VALUES (?1, ?2, 0)")?
        .execute(params![kind as i64, reference])?;
    txn.effect(Effect::Garbage);
    Ok(())
}
