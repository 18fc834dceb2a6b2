//! Parts of open uploads: stored, copied, taken by reference, listed.
//!
//! **Invariant:** every verb checks in its own transaction that the upload is open, in this bucket
//! and for this key. Otherwise it is NoSuchUpload, and the sent body is discarded.

use rusqlite::{OptionalExtension as _, params};

use super::database::Database;
use super::job::Txn;
use super::{contents, declarations, uploads};
use crate::access::UploadPath;
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::store::blobs::staged::StagedBlob;
use crate::store::db::sqlite::columns::{
    drop_reference, encode_checksum, read_checksum, read_declared, reference, require_bucket,
};
use crate::store::db::sqlite::deduplicated;
use crate::store::db::sqlite::upload_changes::{UploadChange, changed};
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;
use crate::store::memory::source_blob::SourceBlob;
use crate::store::records::contents::{ContentId, InstantPart, Readable};
use crate::store::records::events::Cause;
use crate::store::records::uploads::{AddedPart, PartRecord, PartsPage};
use crate::types::{BlobId, ETag, PartNumber};

/// A part by its upload and number.
struct PartPath {
    upload: UploadPath,
    number: PartNumber,
}

pub(crate) fn put(
    db: &Database,
    upload: UploadPath,
    number: PartNumber,
    staged: StagedBlob,
    once: bool,
) -> Pending<AddedPart> {
    let path = PartPath { upload, number };
    db.write_staged(staged, move |txn, staged| {
        let touched = touch(txn, &path, staged.digests().length)?;
        let blob = contents::insert_or_share(txn, staged, once)?;
        let digests = staged.digests();
        let known = touched.algorithm.and_then(|algorithm| digests.checksum_for(algorithm));
        let checksum = known.or_else(|| digests.checksum.clone());
        let part = replace(txn, &path, blob, digests, checksum)?;
        touched.added(txn, &path, part)
    })
}

pub(crate) fn copy(
    db: &Database,
    upload: UploadPath,
    number: PartNumber,
    source: SourceBlob,
    checksum: Option<Checksum>,
) -> Pending<AddedPart> {
    let path = PartPath { upload, number };
    db.write(move |txn| {
        // Its pin keeps the bytes from being freed while the job waits.
        let SourceBlob { id: blob, digests, pin: _pin } = &source;
        let touched = touch(txn, &path, digests.length)?;
        if !reference(txn, ContentId::Blob(*blob))? {
            return Err(Error::NoSuchKey);
        }
        let known = touched.algorithm.and_then(|algorithm| {
            let given = checksum.clone().filter(|given| given.algorithm == algorithm);
            given.or_else(|| digests.checksum_for(algorithm))
        });
        let checksum = known.or_else(|| checksum.clone()).or_else(|| digests.checksum.clone());
        let part = replace(txn, &path, *blob, digests, checksum)?;
        touched.added(txn, &path, part)
    })
}

/// Stores parts by reference, each from the first of its contents that can be taken; `None` for a
/// part that has none. All in one transaction, so there must be few.
pub(crate) fn put_instant(
    db: &Database,
    upload: UploadPath,
    parts: Vec<InstantPart>,
) -> Pending<Vec<Option<AddedPart>>> {
    db.write(move |txn| {
        let put = |part: &InstantPart| {
            let path = PartPath { upload: upload.clone(), number: part.number };
            let taken = contents::take_first(txn, &part.readables)?;
            let Some((blob, digests)) = taken.and_then(Readable::single) else { return Ok(None) };
            let touched = touch(txn, &path, digests.length)?;
            let known = touched.algorithm.and_then(|algorithm| digests.checksum_for(algorithm));
            let checksum = known.or_else(|| part.checksum.clone());
            let checksum = checksum.or_else(|| digests.checksum.clone());
            let added = replace(txn, &path, blob, digests, checksum)?;
            touched.added(txn, &path, added).map(Some)
        };
        parts.iter().map(put).collect()
    })
}

/// An open upload, with its activity updated for a new part.
struct Touched {
    /// The algorithm that its parts must have.
    algorithm: Option<ChecksumAlgorithm>,
    is_declared: bool,
}

impl Touched {
    /// The part has its row now.
    fn added(&self, txn: &Txn<'_>, path: &PartPath, part: PartRecord) -> Result<AddedPart> {
        changed(txn, path.upload.id, UploadChange::Part, &Cause::default())?;
        let next = match self.is_declared {
            true => declarations::advance(txn, path.upload.id, path.number)?,
            false => None,
        };
        Ok(AddedPart { part, next })
    }
}

/// Checks that the upload is open and that a part of this size fits it, and updates its activity.
fn touch(txn: &Txn<'_>, path: &PartPath, size: u64) -> Result<Touched> {
    require_bucket(txn, &path.upload.bucket)?;
    let mut statement = txn.prepare(
        "UPDATE uploads SET generation = generation + 1, last_active = ?4
         WHERE id = ?1 AND bucket = ?2 AND key = ?3
         RETURNING checksum_algorithm, checksum_type, declared, content_kind, content",
    )?;
    let mut rows = statement.query(params![
        path.upload.id,
        path.upload.bucket.id,
        path.upload.key.as_bytes(),
        txn.now()
    ])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let algorithm = read_declared(row)?.map(|(algorithm, _)| algorithm);
    let is_declared = row.get::<_, Option<bool>>("declared")?.is_some();
    if let Some(content) = deduplicated::read_content(row)? {
        // The client sends the file: the upload is no longer deduplicated.
        let sql = "UPDATE uploads SET content_kind = NULL, content = NULL WHERE id = ?1";
        txn.execute(sql, [path.upload.id])?;
        drop_reference(txn, content)?;
    }
    if is_declared {
        declarations::check_part(txn, path.upload.id, path.number, size)?;
    }
    Ok(Touched { algorithm, is_declared })
}

/// Writes the part's row; the reference of its blob is taken already. The blob that it replaces is
/// dropped.
fn replace(
    txn: &Txn<'_>,
    path: &PartPath,
    blob: BlobId,
    digests: &Digests,
    checksum: Option<Checksum>,
) -> Result<PartRecord> {
    let old: Option<BlobId> = txn
        .prepare("SELECT blob FROM parts WHERE upload = ?1 AND number = ?2")?
        .query_row(params![path.upload.id, path.number], |row| row.get(0))
        .optional()?;
    let modified = txn.now();
    txn.execute(
        "INSERT OR REPLACE INTO parts
             (upload, number, blob, size, md5, modified, checksum, crc64nvme)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            path.upload.id,
            path.number,
            blob,
            digests.length,
            digests.md5,
            modified,
            checksum.as_ref().map(encode_checksum),
            digests.crc64nvme.cast_signed(),
        ],
    )?;
    if let Some(old) = old {
        drop_reference(txn, ContentId::Blob(old))?;
    }
    Ok(PartRecord {
        number: path.number,
        size: digests.length,
        etag: ETag::plain(digests.md5),
        modified,
        checksum,
    })
}

pub(crate) fn list(db: &Database, path: &UploadPath, after: u16, max: usize) -> Result<PartsPage> {
    db.require_bucket(&path.bucket)?;
    let id = path.id;
    db.readers.snapshot(|connection| {
        let upload = uploads::find(db, connection, path)?;
        if let Some(content) = deduplicated::content_of(connection, id)? {
            return deduplicated::list_parts(connection, upload, content, after, max);
        }
        let mut parts = Vec::new();
        let mut truncated = false;
        let mut statement = connection.prepare_cached(
            "SELECT number, size, md5, modified, checksum FROM parts
             WHERE upload = ?1 AND number > ?2 ORDER BY number",
        )?;
        let mut rows = statement.query(params![id, after])?;
        while max > 0
            && let Some(row) = rows.next()?
        {
            if parts.len() == max {
                truncated = true;
                break;
            }
            // By number: a lookup by name would be repeated for each row.
            parts.push(PartRecord {
                number: row.get(0)?,
                size: row.get(1)?,
                etag: ETag::plain(row.get(2)?),
                modified: row.get(3)?,
                checksum: read_checksum(row, 4)?,
            });
        }
        Ok(PartsPage { upload, parts, truncated })
    })
}
