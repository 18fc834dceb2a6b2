//! CompleteMultipartUpload: the snapshot that it is prepared on, and its transaction.
//!
//! The transaction writes a manifest, the object's row and a tombstone, and deletes the upload's
//! row. It publishes only if the upload's generation is the prepared one. No part's row is
//! rewritten.
//!
//! The steps of Complete are in `crate::store::uploads::complete`.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::database::Database;
use super::declarations;
use super::job::Txn;
use super::objects::{self, check_condition, check_version, current};
use super::uploads::{self, UPLOAD_COLUMNS};
use crate::access::UploadPath;
use crate::digest::ObjectChecksum;
use crate::events::EventName;
use crate::store::db::sqlite::columns::{GarbageKind, enqueue, read_checksum, require_bucket};
use crate::store::db::sqlite::deduplicated;
use crate::store::db::sqlite::upload_changes::{UploadChange, changed};
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Pending;
use crate::store::records::contents::ContentId;
use crate::store::records::events::Cause;
use crate::store::records::uploads::Completed;
use crate::store::rules::complete::{Prepared, StoredPart, Upload};
use crate::types::{ETag, Timestamp, UploadId};

/// Milliseconds for which a completed upload answers repetitions.
const TOMBSTONE_MS: u64 = 24 * 60 * 60 * 1000;

/// State of an upload that is to be completed, in one snapshot.
pub(crate) enum Snapshot {
    /// It was completed before with the same list, and this answer.
    Completed(Completed),
    /// It is open.
    Open(Box<Upload>),
}

/// Reads the upload or its tombstone. [`Error::NoSuchUpload`].
pub(crate) fn read(db: &Database, path: &UploadPath, list_digest: &[u8; 32]) -> Result<Snapshot> {
    db.require_bucket(&path.bucket)?;
    db.readers.snapshot(|connection| match replay(connection, path, list_digest)? {
        Some(answer) => Ok(Snapshot::Completed(answer)),
        None => read_upload(db, connection, path).map(|upload| Snapshot::Open(Box::new(upload))),
    })
}

/// Publishes the prepared object. `None` when the upload has changed since it was prepared.
pub(crate) fn publish(db: &Database, prepared: Prepared) -> Pending<Option<Completed>> {
    db.write(move |txn| publish_prepared(txn, &prepared))
}

/// Emits the event that the bytes of an upload differ from the declared digests.
pub(crate) fn emit_failed(db: &Database, id: UploadId, cause: Cause) -> Pending<()> {
    db.free(move |txn| changed(txn, id, UploadChange::Failed, &cause))
}

/// True if the upload is open or left a tombstone.
pub(crate) fn is_known(db: &Database, path: &UploadPath) -> Result<bool> {
    db.require_bucket(&path.bucket)?;
    let UploadPath { bucket, key, id } = path;
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT 1 FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3 UNION ALL
         SELECT 1 FROM tombstones WHERE upload = ?1 AND bucket = ?2 AND key = ?3",
    )?;
    Ok(statement.exists(params![id, bucket.id, key.as_bytes()])?)
}

/// Answer of a completed upload to the same list; [`Error::NoSuchUpload`] for another list. `None`
/// without a tombstone.
fn replay(
    connection: &Connection,
    path: &UploadPath,
    list_digest: &[u8; 32],
) -> Result<Option<Completed>> {
    let UploadPath { bucket, key, id } = path;
    let found = connection
        .prepare_cached(
            "SELECT digest, answer FROM tombstones
             WHERE upload = ?1 AND bucket = ?2 AND key = ?3",
        )?
        .query_row(params![id, bucket.id, key.as_bytes()], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Vec<u8>>(1)?))
        })
        .optional()?;
    match found {
        None => Ok(None),
        Some((digest, answer)) if digest == *list_digest => decode_answer(&answer).map(Some),
        Some(_) => Err(Error::NoSuchUpload),
    }
}

fn read_upload(db: &Database, connection: &Connection, path: &UploadPath) -> Result<Upload> {
    let UploadPath { bucket, key, id } = path;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD_COLUMNS}, generation, headers, declared, content_kind, content FROM uploads
         WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![id, bucket.id, key.as_bytes()])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let declaration = declarations::of_row(connection, row, *id)?;
    let mut upload = Upload {
        record: uploads::read_upload(db, row)?,
        generation: row.get("generation")?,
        headers: row.get("headers")?,
        declaration,
        content: deduplicated::read_content(row)?,
        parts: Vec::new(),
    };
    if let Some(content) = upload.content {
        let algorithm = upload.record.checksum.map(|(algorithm, _)| algorithm);
        let own = deduplicated::own_parts(connection, content, algorithm, 0, usize::MAX)?;
        upload.parts = own.into_iter().map(|(part, _)| part).collect();
        return Ok(upload);
    }
    let mut statement = connection.prepare_cached(
        "SELECT number, blob, size, md5, checksum, crc64nvme FROM parts
         WHERE upload = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([id])?;
    while let Some(row) = rows.next()? {
        upload.parts.push(StoredPart {
            number: row.get("number")?,
            blob: row.get("blob")?,
            size: row.get("size")?,
            md5: row.get("md5")?,
            checksum: read_checksum(row, "checksum")?,
            crc64nvme: row.get::<_, i64>("crc64nvme")?.cast_unsigned(),
        });
    }
    Ok(upload)
}

/// Publishes the prepared object; `None` when the upload has changed.
fn publish_prepared(txn: &Txn<'_>, prepared: &Prepared) -> Result<Option<Completed>> {
    let UploadPath { bucket, key, id } = &prepared.path;
    require_bucket(txn, bucket)?;
    let generation: Option<i64> = txn
        .prepare("SELECT generation FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
        .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
        .optional()?;
    match generation {
        // Another Complete or an Abort came first.
        None => {
            let answer = replay(txn.connection, &prepared.path, &prepared.list_digest)?;
            return answer.map(Some).ok_or(Error::NoSuchUpload);
        }
        Some(generation) if generation != prepared.generation => return Ok(None),
        Some(_) => {}
    }
    let current = current(txn, bucket, key)?;
    check_version(prepared.decided_on, current.as_ref())?;
    check_condition(&prepared.condition, current.as_ref())?;
    if prepared.content.is_none() {
        insert_manifest(txn, prepared)?;
    }
    let removed = uploads::remove(txn, *id, UploadChange::Completed, &prepared.cause)?;
    let row = objects::Row {
        size: prepared.size,
        etag: prepared.etag,
        // The upload's own reference becomes the object's.
        content: prepared.content.unwrap_or(ContentId::Manifest(*id)),
        headers: &prepared.headers,
        checksum: prepared.checksum.as_ref().map(ObjectChecksum::encode),
        event: EventName::ObjectCreatedComplete,
        cause: &prepared.cause,
        callback_var: removed.callback_var.as_deref(),
    };
    let published = objects::publish(txn, bucket, key, current.as_ref(), row)?;
    if prepared.unlisted {
        enqueue(txn, GarbageKind::Unlisted, id.as_bytes())?;
    }
    let completed = Completed { etag: prepared.etag, checksum: prepared.checksum.clone() };
    insert_tombstone(txn, prepared, &completed, published.modified)?;
    Ok(Some(completed))
}

fn insert_manifest(txn: &Txn<'_>, prepared: &Prepared) -> Result<()> {
    txn.execute(
        "INSERT INTO manifests (id, refs, dead, size, parts, sha256) VALUES (?1, 1, 0, ?2, ?3, ?4)",
        // Only a verified SHA-256 is stored here.
        params![prepared.path.id, prepared.size, prepared.etag.parts, prepared.wanted.sha256],
    )?;
    let mut insert = txn.prepare(
        "INSERT INTO manifest_runs (manifest, first_offset, first_number, numbers)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for run in &prepared.runs {
        insert.execute(params![
            prepared.path.id,
            run.first_offset,
            run.first_number,
            run.numbers
        ])?;
    }
    Ok(())
}

fn insert_tombstone(
    txn: &Txn<'_>,
    prepared: &Prepared,
    completed: &Completed,
    now: Timestamp,
) -> Result<()> {
    txn.execute(
        "INSERT INTO tombstones (upload, bucket, key, initiator, digest, answer, expires)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            prepared.path.id,
            prepared.path.bucket.id,
            prepared.path.key.as_bytes(),
            prepared.initiator,
            prepared.list_digest,
            encode_answer(completed),
            now.plus_millis(TOMBSTONE_MS),
        ],
    )?;
    Ok(())
}

/// The ETag (16 bytes, number of parts in 2), then the checksum, if there is one.
fn encode_answer(completed: &Completed) -> Vec<u8> {
    let mut bytes = completed.etag.md5.to_vec();
    bytes.extend(completed.etag.parts.unwrap_or(0).to_be_bytes());
    bytes.extend(completed.checksum.iter().flat_map(ObjectChecksum::encode));
    bytes
}

fn decode_answer(bytes: &[u8]) -> Result<Completed> {
    let broken = || damaged("a tombstone's answer");
    let (md5, rest) = bytes.split_first_chunk::<16>().ok_or_else(broken)?;
    let (parts, rest) = rest.split_first_chunk::<2>().ok_or_else(broken)?;
    let parts = Some(u16::from_be_bytes(*parts)).filter(|&parts| parts > 0);
    let checksum = match rest {
        [] => None,
        rest => Some(ObjectChecksum::decode(rest).ok_or_else(broken)?),
    };
    Ok(Completed { etag: ETag { md5: *md5, parts }, checksum })
}
