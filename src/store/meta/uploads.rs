//! Open uploads and their parts.
//!
//! **Invariant:** every verb checks in its own transaction that the upload is open, in this bucket
//! and for this key; otherwise it is NoSuchUpload, and what was sent is discarded.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::job::Txn;
use super::outbox::{Cause, Change, Detail, emit};
use super::rows::{
    ContentId, GarbageKind, drop_reference, encode_checksum, encode_headers, enqueue, insert_blob,
    read_checksum, read_declared, read_key, reference, require_bucket,
};
use crate::access::{Bucket, Permit};
use crate::clock;
use crate::digest::{Checksum, Digests};
use crate::events::{CallbackVar, EventName};
use crate::store::content::{BlobRef, OpenObject};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::pending::Pending;
use crate::store::records::{NewUpload, PartRecord, PartsPage, UploadRecord};
use crate::types::{BlobId, ETag, ObjectKey, PartNumber, UploadId};

/// The columns that [`read_upload`] needs; the key first, as every scan has it.
pub(crate) const UPLOAD_COLUMNS: &str =
    "key, id, initiated, initiator, checksum_algorithm, checksum_type";

pub(crate) fn read_upload(engine: &Engine, row: &Row<'_>) -> Result<UploadRecord> {
    Ok(UploadRecord {
        id: row.get("id")?,
        key: read_key(row, "key")?,
        initiated: row.get("initiated")?,
        initiator: engine.directory().owner(&row.get::<_, String>("initiator")?),
        checksum: read_declared(row)?,
    })
}

pub(crate) fn create(
    engine: &Engine,
    permit: &Permit,
    key: ObjectKey,
    new: NewUpload,
) -> Pending<UploadRecord> {
    let (bucket, user) = (Arc::clone(permit.bucket()), Arc::clone(permit.user()));
    let headers = encode_headers(&new.headers);
    let initiator = engine.directory().owner(&user.id);
    let cause = Cause::of(permit);
    engine.write(move |txn| {
        require_bucket(txn, &bucket)?;
        let record = UploadRecord {
            id: UploadId::new(),
            key: key.clone(),
            initiated: clock::now(),
            initiator: initiator.clone(),
            checksum: new.checksum,
        };
        txn.execute(
            "INSERT INTO uploads (id, bucket, key, initiated, last_active, initiator, headers,
                 checksum_algorithm, checksum_type, generation)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, 0)",
            params![
                record.id,
                bucket.id,
                key.as_bytes(),
                record.initiated,
                user.id,
                headers,
                new.checksum.map(|(algorithm, _)| algorithm.code()),
                new.checksum.map(|(_, kind)| kind.code()),
            ],
        )?;
        let callback_var = new.callback_var.as_ref().map(CallbackVar::as_bytes);
        if let Some(callback_var) = callback_var {
            let sql = "UPDATE uploads SET callback_var = ?2 WHERE id = ?1";
            txn.execute(sql, params![record.id, callback_var])?;
        }
        let detail = Detail {
            headers: Some(&headers),
            upload: Some(record.id),
            callback_var,
            ..Detail::default()
        };
        let (event, time) = (EventName::UploadCreated, record.initiated);
        emit(txn, &Change { event, bucket: &bucket, key: &key, time, cause: &cause, detail })?;
        Ok(record)
    })
}

/// Tells of an open upload that it was paused, goes on or failed; [`abort`] and the expiry tell of
/// its end themselves. `callback_var` is the column of that name.
pub(crate) fn tell(
    txn: &Txn<'_>,
    event: EventName,
    (bucket, key, id): (&Bucket, &ObjectKey, UploadId),
    cause: &Cause,
    callback_var: Option<&[u8]>,
) -> Result<()> {
    let detail = Detail { upload: Some(id), callback_var, ..Detail::default() };
    emit(txn, &Change { event, bucket, key, time: clock::now(), cause, detail })
}

/// The open upload of this bucket and key.
pub(crate) fn find(
    engine: &Engine,
    connection: &Connection,
    bucket: &Bucket,
    key: &ObjectKey,
    id: UploadId,
) -> Result<UploadRecord> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD_COLUMNS} FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![id, bucket.id, key.as_bytes()])?;
    rows.next()?.map_or(Err(Error::NoSuchUpload), |row| read_upload(engine, row))
}

pub(crate) fn record(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
) -> Result<UploadRecord> {
    let bucket = engine.require_bucket(permit)?;
    find(engine, &*engine.readers.take()?, &bucket, key, id)
}

/// A part's place: bucket, key, upload and number.
struct Place {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    upload: UploadId,
    number: PartNumber,
}

impl Place {
    fn new(permit: &Permit, key: &ObjectKey, (upload, number): (UploadId, PartNumber)) -> Self {
        Self { bucket: Arc::clone(permit.bucket()), key: key.clone(), upload, number }
    }
}

pub(crate) fn put_part(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    part: (UploadId, PartNumber),
    staged: crate::store::blobs::StagedBlob,
) -> Pending<PartRecord> {
    let place = Place::new(permit, key, part);
    engine.write_staged(staged, move |txn, staged| {
        let declared = touch(txn, &place)?;
        insert_blob(txn, staged)?;
        let digests = staged.digests();
        let known = declared.and_then(|algorithm| digests.checksum_for(algorithm));
        let checksum = known.or_else(|| digests.checksum.clone());
        replace_part(txn, &place, staged.id(), digests, checksum)
    })
}

pub(crate) fn copy_part(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    part: (UploadId, PartNumber),
    source: &OpenObject,
    blob: BlobRef,
    checksum: Option<Checksum>,
) -> Pending<PartRecord> {
    let place = Place::new(permit, key, part);
    // Keeps the source's blobs from being freed while the job waits.
    let pinned = source.clone();
    let digests = Digests {
        length: blob.size,
        md5: blob.md5,
        crc64nvme: blob.crc64nvme,
        sha256: blob.sha256,
        checksum: blob.checksum,
    };
    engine.write(move |txn| {
        let _pinned = &pinned;
        let declared = touch(txn, &place)?;
        if !reference(txn, ContentId::Blob(blob.id))? {
            return Err(Error::NoSuchKey);
        }
        let known = declared.and_then(|algorithm| {
            let given = checksum.clone().filter(|given| given.algorithm == algorithm);
            given.or_else(|| digests.checksum_for(algorithm))
        });
        let checksum = known.or_else(|| checksum.clone()).or_else(|| digests.checksum.clone());
        replace_part(txn, &place, blob.id, &digests, checksum)
    })
}

/// The upload is open: notes that it changes, and gives the algorithm that was declared.
fn touch(txn: &Txn<'_>, place: &Place) -> Result<Option<crate::digest::ChecksumAlgorithm>> {
    require_bucket(txn, &place.bucket)?;
    let mut statement = txn.prepare(
        "UPDATE uploads SET generation = generation + 1, last_active = ?4
         WHERE id = ?1 AND bucket = ?2 AND key = ?3
         RETURNING checksum_algorithm, checksum_type",
    )?;
    let mut rows = statement.query(params![
        place.upload,
        place.bucket.id,
        place.key.as_bytes(),
        clock::now()
    ])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    Ok(read_declared(row)?.map(|(algorithm, _)| algorithm))
}

/// Writes the part's row; its blob has its reference already. The blob that it replaces is dropped.
fn replace_part(
    txn: &Txn<'_>,
    place: &Place,
    blob: BlobId,
    digests: &Digests,
    checksum: Option<Checksum>,
) -> Result<PartRecord> {
    let old: Option<BlobId> = txn
        .prepare("SELECT blob FROM parts WHERE upload = ?1 AND number = ?2")?
        .query_row(params![place.upload, place.number], |row| row.get(0))
        .optional()?;
    let modified = clock::now();
    txn.execute(
        "INSERT OR REPLACE INTO parts
             (upload, number, blob, size, md5, modified, checksum, crc64nvme)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            place.upload,
            place.number,
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
        number: place.number,
        size: digests.length,
        etag: ETag::plain(digests.md5),
        modified,
        checksum,
    })
}

pub(crate) fn list_parts(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
    after: u16,
    max: usize,
) -> Result<PartsPage> {
    let bucket = engine.require_bucket(permit)?;
    engine.readers.snapshot(|connection| {
        let upload = find(engine, connection, &bucket, key, id)?;
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
            // By number: a name is looked up again in each row.
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

pub(crate) fn abort(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
) -> Pending<()> {
    let (bucket, key) = (Arc::clone(permit.bucket()), key.clone());
    let cause = Cause::of(permit);
    engine.free(move |txn| {
        require_bucket(txn, &bucket)?;
        let gone: Option<Option<Vec<u8>>> = txn
            .prepare(
                "DELETE FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3
                 RETURNING callback_var",
            )?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
            .optional()?;
        let callback_var = gone.ok_or(Error::NoSuchUpload)?;
        enqueue(txn, GarbageKind::Upload, id.as_bytes())?;
        let upload = (&*bucket, &key, id);
        tell(txn, EventName::UploadAborted, upload, &cause, callback_var.as_deref())
    })
}
