//! CompleteMultipartUpload: prepared on a snapshot, published by the writer in a few rows.
//!
//! 1. A tombstone of the upload answers a repetition: the same list gets the same answer, another
//!    list NoSuchUpload. A repetition never publishes.
//! 2. Prepare: every listed part is compared with the stored one, sizes are summed, ETag and
//!    checksum computed, the runs of the manifest built. This costs time, but not the writer's.
//! 3. Verify, if digests of the whole file were declared: all bytes are read once, still without
//!    the writer. Other bytes publish nothing, and the upload stays open.
//! 4. Publish: if the upload's generation is still the one that was prepared, the manifest, the
//!    object's row and the tombstone are written and the upload is gone, in one transaction. If it
//!    moved, prepare again.
//!
//! No part's row is rewritten and no byte is moved. What is verified is what is published: a part
//! that was replaced meanwhile has raised the generation.

use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};

use super::declarations;
use super::job::Txn;
use super::objects::{self, current, judge};
use super::outbox::Cause;
use super::uploads::{self, UPLOAD_COLUMNS};
use crate::access::{Bucket, Permit};
use crate::digest::ObjectChecksum;
use crate::events::EventName;
use crate::store::db::sqlite::columns::{
    GarbageKind, damaged, enqueue, read_checksum, require_bucket,
};
use crate::store::db::sqlite::deduplicated;
use crate::store::db::sqlite::upload_changes::{Change, changed};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::records::{CompleteUpload, Completed, ContentId, WholeDigests};
use crate::store::rules::complete::{Prepared, StoredPart, Upload, prepare};
use crate::store::uploads::verify::{Verified, verify};
use crate::types::{ETag, ObjectKey, Timestamp, UploadId};

/// How often Complete is prepared when parts keep arriving.
const PREPARE_TIMES_MAX: usize = 3;
/// How long a finished upload answers repetitions.
const TOMBSTONE_MS: u64 = 24 * 60 * 60 * 1000;

pub(crate) fn complete(
    engine: &Engine,
    permit: &Permit,
    request: &CompleteUpload,
) -> Result<Completed> {
    let bucket = engine.require_bucket(permit)?;
    let list_digest = digest_request(request);
    for _ in 0..PREPARE_TIMES_MAX {
        let upload = engine.readers.snapshot(|connection| {
            match replay(connection, &bucket, &request.key, request.upload, &list_digest)? {
                Some(answer) => Ok(Err(answer)),
                None => read_upload(engine, connection, &bucket, request).map(Ok),
            }
        })?;
        let upload = match upload {
            Ok(upload) => upload,
            Err(answer) => return Ok(answer),
        };
        let part_bytes_min = engine.options.part_bytes_min;
        let mut prepared = prepare(&bucket, request, upload, list_digest, part_bytes_min)?;
        prepared.cause = Cause::of(permit);
        let source = match prepared.content {
            Some(ContentId::Manifest(id)) => id,
            _ => prepared.id,
        };
        match verify(engine, source, &prepared.pieces, &prepared.wanted, prepared.known)? {
            Verified::Same => {}
            Verified::Moved => continue,
            Verified::Differs(error) => {
                tell_failed(engine, prepared.id, prepared.cause)?;
                return Err(error);
            }
        }
        if let Some(completed) = engine.write(move |txn| publish(txn, &prepared)).wait()? {
            return Ok(completed);
        }
    }
    Err(Error::OperationAborted)
}

/// Whoever watches the upload is told that its bytes are not those that were declared.
fn tell_failed(engine: &Engine, id: UploadId, cause: Cause) -> Result<()> {
    engine.free(move |txn| changed(txn, id, Change::Failed, &cause)).wait()
}

/// Whether there is anything to say of an upload: it is open, or it left a tombstone.
pub(crate) fn is_known(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
) -> Result<bool> {
    let bucket = engine.require_bucket(permit)?;
    let reader = engine.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT 1 FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3 UNION ALL
         SELECT 1 FROM tombstones WHERE upload = ?1 AND bucket = ?2 AND key = ?3",
    )?;
    Ok(statement.exists(params![id, bucket.id, key.as_bytes()])?)
}

/// What a finished upload answered: to the same list again, to another one NoSuchUpload. `None`
/// when there is no tombstone.
fn replay(
    connection: &Connection,
    bucket: &Bucket,
    key: &ObjectKey,
    id: UploadId,
    list_digest: &[u8; 32],
) -> Result<Option<Completed>> {
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

fn read_upload(
    engine: &Engine,
    connection: &Connection,
    bucket: &Bucket,
    request: &CompleteUpload,
) -> Result<Upload> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD_COLUMNS}, generation, headers, declared, content_kind, content FROM uploads
         WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![request.upload, bucket.id, request.key.as_bytes()])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let declaration = declarations::of_row(connection, row, request.upload)?;
    let mut upload = Upload {
        record: uploads::read_upload(engine, row)?,
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
    let mut rows = statement.query([request.upload])?;
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

/// Publishes, if the upload is still as it was prepared; `None` when it moved on.
fn publish(txn: &Txn<'_>, prepared: &Prepared) -> Result<Option<Completed>> {
    let Prepared { bucket, key, id, .. } = prepared;
    require_bucket(txn, bucket)?;
    let generation: Option<i64> = txn
        .prepare("SELECT generation FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
        .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
        .optional()?;
    match generation {
        // Another Complete was faster, or an Abort.
        None => {
            let answer = replay(txn.connection, bucket, key, *id, &prepared.list_digest)?;
            return answer.map(Some).ok_or(Error::NoSuchUpload);
        }
        Some(generation) if generation != prepared.generation => return Ok(None),
        Some(_) => {}
    }
    let current = current(txn, bucket, key)?;
    judge(&prepared.condition, current.as_ref())?;
    if prepared.content.is_none() {
        insert_manifest(txn, prepared)?;
    }
    let removed = uploads::remove(txn, *id, Change::Completed, &prepared.cause)?;
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
        // A SHA-256 that stands here was verified.
        params![prepared.id, prepared.size, prepared.etag.parts, prepared.wanted.sha256],
    )?;
    let mut insert = txn.prepare(
        "INSERT INTO manifest_runs (manifest, first_offset, first_number, numbers)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for run in &prepared.runs {
        insert.execute(params![prepared.id, run.first_offset, run.first_number, run.numbers])?;
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
            prepared.id,
            prepared.bucket.id,
            prepared.key.as_bytes(),
            prepared.initiator,
            prepared.list_digest,
            encode_answer(completed),
            now.plus_millis(TOMBSTONE_MS),
        ],
    )?;
    Ok(())
}

/// What makes two requests the same: numbers and ETags, in order, and what is said of the whole
/// object: another size or digest was never verified.
fn digest_request(request: &CompleteUpload) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let WholeDigests { md5, sha256 } = &request.digests;
    let size = request.object_size.map(u64::to_be_bytes);
    let checksum = request.checksum.as_ref().map(|checksum| &checksum.value);
    let said: [Option<&[u8]>; 4] = [
        size.as_ref().map(<[u8; 8]>::as_slice),
        md5.as_ref().map(<[u8; 16]>::as_slice),
        sha256.as_ref().map(<[u8; 32]>::as_slice),
        checksum.map(Vec::as_slice),
    ];
    hasher.update((request.parts.len() as u64).to_be_bytes());
    for part in &request.parts {
        hasher.update(part.number.get().to_be_bytes());
        // Each entry has the same length, so that no two lists can run into each other.
        let etag = part.etag.map_or(([0; 16], 0), |etag| (etag.md5, etag.parts.unwrap_or(0)));
        hasher.update([u8::from(part.etag.is_some())]);
        hasher.update(etag.0);
        hasher.update(etag.1.to_be_bytes());
    }
    for (which, value) in (0_u8..).zip(said) {
        // What is not said is not there: most requests are a list and nothing else.
        if let Some(value) = value {
            hasher.update([which, u8::try_from(value.len()).expect("at most a SHA-512")]);
            hasher.update(value);
        }
    }
    hasher.finalize().into()
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
