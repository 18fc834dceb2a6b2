//! CompleteMultipartUpload: prepared on a snapshot, published by the writer in a few rows.
//!
//! 1. A tombstone of the upload answers a repetition: the same list gets the same answer, another
//!    list NoSuchUpload. A repetition never publishes.
//! 2. Prepare: every listed part is compared with the stored one, sizes are summed, ETag and
//!    checksum computed, the runs of the manifest built. This costs time, but not the writer's.
//! 3. Publish: if the upload's generation is still the one that was prepared, the manifest, the
//!    object's row and the tombstone are written and the upload is gone, in one transaction. If it
//!    moved, prepare again.
//!
//! No part's row is rewritten and no byte is moved.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::Sha256;

use super::job::Txn;
use super::objects::{self, current, judge};
use super::outbox::Cause;
use super::rows::{
    ContentId, GarbageKind, damaged, enqueue, read_checksum, read_declared, require_bucket,
};
use crate::access::{Bucket, Permit};
use crate::digest::{
    Checksum, ChecksumAlgorithm, ChecksumType, Combiner, ObjectChecksum, composite,
};
use crate::events::EventName;
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::records::{CompleteUpload, Completed, ListedPart};
use crate::types::{
    ETag, OBJECT_BYTES_MAX, ObjectKey, PartNumber, Timestamp, UploadId, WriteCondition,
};

/// Parts in one run of a manifest.
pub(crate) const RUN_PARTS_MAX: usize = 256;
/// How often Complete is prepared when parts keep arriving.
const PREPARE_TIMES_MAX: usize = 3;
/// How long a finished upload answers repetitions.
const TOMBSTONE_MS: u64 = 24 * 60 * 60 * 1000;

/// A part as it is stored.
struct StoredPart {
    number: PartNumber,
    size: u64,
    md5: [u8; 16],
    checksum: Option<Checksum>,
    crc64nvme: u64,
}

/// A run of listed parts: where it begins, and the packed numbers.
struct Run {
    first_offset: u64,
    first_number: PartNumber,
    numbers: Vec<u8>,
}

/// An upload as the snapshot shows it.
struct Upload {
    generation: i64,
    headers: Vec<u8>,
    initiator: String,
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
    parts: Vec<StoredPart>,
}

/// Everything that [`publish`] writes.
struct Prepared {
    bucket: Arc<Bucket>,
    key: ObjectKey,
    id: UploadId,
    condition: WriteCondition,
    generation: i64,
    headers: Vec<u8>,
    initiator: String,
    size: u64,
    etag: ETag,
    checksum: Option<ObjectChecksum>,
    runs: Vec<Run>,
    cause: Cause,
    /// Whether parts are stored that are not listed.
    unlisted: bool,
    list_digest: [u8; 32],
}

pub(crate) fn complete(
    engine: &Engine,
    permit: &Permit,
    request: &CompleteUpload,
) -> Result<Completed> {
    let bucket = engine.require_bucket(permit)?;
    let list_digest = digest_list(&request.parts);
    for _ in 0..PREPARE_TIMES_MAX {
        let upload = engine.readers.snapshot(|connection| {
            match replay(connection, &bucket, &request.key, request.upload, &list_digest)? {
                Some(answer) => Ok(Err(answer)),
                None => read_upload(connection, &bucket, request).map(Ok),
            }
        })?;
        let upload = match upload {
            Ok(upload) => upload,
            Err(answer) => return Ok(answer),
        };
        let part_bytes_min = engine.options.part_bytes_min;
        let mut prepared = prepare(&bucket, request, upload, list_digest, part_bytes_min)?;
        prepared.cause = Cause::of(permit);
        if let Some(completed) = engine.write(move |txn| publish(txn, &prepared)).wait()? {
            return Ok(completed);
        }
    }
    Err(Error::OperationAborted)
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
    connection: &Connection,
    bucket: &Bucket,
    request: &CompleteUpload,
) -> Result<Upload> {
    let mut statement = connection.prepare_cached(
        "SELECT generation, headers, initiator, checksum_algorithm, checksum_type FROM uploads
         WHERE id = ?1 AND bucket = ?2 AND key = ?3",
    )?;
    let mut rows = statement.query(params![request.upload, bucket.id, request.key.as_bytes()])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let mut upload = Upload {
        generation: row.get("generation")?,
        headers: row.get("headers")?,
        initiator: row.get("initiator")?,
        declared: read_declared(row)?,
        parts: Vec::new(),
    };
    let mut statement = connection.prepare_cached(
        "SELECT number, size, md5, checksum, crc64nvme FROM parts
         WHERE upload = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([request.upload])?;
    while let Some(row) = rows.next()? {
        upload.parts.push(StoredPart {
            number: row.get("number")?,
            size: row.get("size")?,
            md5: row.get("md5")?,
            checksum: read_checksum(row, "checksum")?,
            crc64nvme: row.get::<_, i64>("crc64nvme")?.cast_unsigned(),
        });
    }
    Ok(upload)
}

/// Validates the request against what is stored, and computes all that will be written.
fn prepare(
    bucket: &Arc<Bucket>,
    request: &CompleteUpload,
    upload: Upload,
    list_digest: [u8; 32],
    part_bytes_min: u64,
) -> Result<Prepared> {
    let declared = upload.declared;
    if request.parts.is_empty() {
        return Err(Error::NoParts);
    }
    if request.parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(Error::InvalidPartOrder);
    }
    let expected = declared.map_or(ChecksumType::FullObject, |(_, kind)| kind);
    if let Some(actual) = request.checksum_type.filter(|actual| *actual != expected) {
        return Err(Error::ChecksumTypeMismatch { expected, actual });
    }
    let parts = match_parts(&request.parts, &upload.parts, declared)?;
    let size = judge_sizes(&parts, part_bytes_min, request.object_size)?;
    let checksum = object_checksum(&parts, declared)?;
    if let Some(wanted) = &request.checksum {
        judge_checksum(wanted, &checksum, &parts, declared)?;
    }
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part.md5));
    let count = u16::try_from(parts.len()).expect("part numbers ascend up to 10,000");
    Ok(Prepared {
        bucket: Arc::clone(bucket),
        key: request.key.clone(),
        id: request.upload,
        condition: request.condition.clone(),
        generation: upload.generation,
        headers: upload.headers,
        initiator: upload.initiator,
        size,
        etag: ETag { md5: md5.finalize().into(), parts: Some(count) },
        checksum: Some(checksum),
        runs: build_runs(&parts),
        cause: Cause::default(),
        unlisted: parts.len() < upload.parts.len(),
        list_digest,
    })
}

/// The stored part of each listed one. Both lists ascend, so one pass is enough.
fn match_parts<'a>(
    listed: &[ListedPart],
    stored: &'a [StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<Vec<&'a StoredPart>> {
    let mut stored = stored.iter().peekable();
    let mut parts = Vec::with_capacity(stored.len().min(listed.len()));
    for listed in listed {
        let invalid = || Error::InvalidPart {
            number: listed.number,
            etag: listed.etag.map(|etag| etag.to_string()),
        };
        while stored.next_if(|part| part.number < listed.number).is_some() {}
        let part = stored.next_if(|part| part.number == listed.number).ok_or_else(invalid)?;
        if listed.etag != Some(ETag::plain(part.md5)) {
            return Err(invalid());
        }
        if listed.checksums.iter().any(|checksum| !part.has(checksum)) {
            return Err(invalid());
        }
        if let Some((algorithm, kind)) = declared {
            let named = listed.checksums.iter().any(|checksum| checksum.algorithm == algorithm);
            if kind == ChecksumType::Composite && !named {
                return Err(Error::ChecksumMissing { number: listed.number, algorithm });
            }
            // It came without what the upload asks for, so the object could not have it either.
            if part.checksum_in(algorithm).is_none() {
                return Err(invalid());
            }
        }
        parts.push(part);
    }
    Ok(parts)
}

impl StoredPart {
    fn checksum_in(&self, algorithm: ChecksumAlgorithm) -> Option<Checksum> {
        match &self.checksum {
            Some(checksum) if checksum.algorithm == algorithm => Some(checksum.clone()),
            _ if algorithm == ChecksumAlgorithm::Crc64nvme => {
                Some(Checksum { algorithm, value: self.crc64nvme.to_be_bytes().to_vec() })
            }
            _ if algorithm == ChecksumAlgorithm::Md5 => {
                Some(Checksum { algorithm, value: self.md5.to_vec() })
            }
            _ => None,
        }
    }

    fn has(&self, checksum: &Checksum) -> bool {
        self.checksum_in(checksum.algorithm).as_ref() == Some(checksum)
    }
}

/// The object's size, if sizes are as they must be.
fn judge_sizes(
    parts: &[&StoredPart],
    part_bytes_min: u64,
    object_size: Option<u64>,
) -> Result<u64> {
    let (_, all_but_last) = parts.split_last().expect("a list without parts was refused");
    if let Some(part) = all_but_last.iter().find(|part| part.size < part_bytes_min) {
        return Err(Error::EntityTooSmall {
            number: part.number,
            size: part.size,
            min: part_bytes_min,
            etag: ETag::plain(part.md5),
        });
    }
    let actual: u64 = parts.iter().map(|part| part.size).sum();
    if actual > OBJECT_BYTES_MAX {
        return Err(Error::EntityTooLarge);
    }
    match object_size {
        Some(expected) if expected != actual => Err(Error::ObjectSizeMismatch { expected, actual }),
        _ => Ok(actual),
    }
}

/// What the client declared, else the CRC64NVME over all bytes.
fn object_checksum(
    parts: &[&StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<ObjectChecksum> {
    let (algorithm, kind) =
        declared.unwrap_or((ChecksumAlgorithm::Crc64nvme, ChecksumType::FullObject));
    match kind {
        ChecksumType::FullObject => {
            let combined = combine(parts, algorithm)
                .ok_or_else(|| damaged(format!("an upload with a FULL_OBJECT {algorithm:?}")))?;
            Ok(ObjectChecksum::full(combined))
        }
        ChecksumType::Composite => {
            let values: Vec<Checksum> =
                parts.iter().filter_map(|part| part.checksum_in(algorithm)).collect();
            let values = values.iter().map(|checksum| checksum.value.as_slice());
            Ok(ObjectChecksum {
                checksum: composite(algorithm, values),
                kind,
                parts: u16::try_from(parts.len()).ok(),
            })
        }
    }
}

/// The CRC over all bytes, if the algorithm is a CRC and every part has it.
fn combine(parts: &[&StoredPart], algorithm: ChecksumAlgorithm) -> Option<Checksum> {
    let mut combiner = Combiner::new(algorithm)?;
    for part in parts {
        combiner.append(&part.checksum_in(algorithm)?.value, part.size);
    }
    Some(combiner.finish())
}

/// The checksum that the request names for the whole object. Where none was declared, any CRC that
/// came with all parts can be compared.
fn judge_checksum(
    wanted: &Checksum,
    checksum: &ObjectChecksum,
    parts: &[&StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<()> {
    let is_equal = *wanted == checksum.checksum
        || declared.is_none() && combine(parts, wanted.algorithm).as_ref() == Some(wanted);
    match is_equal {
        true => Ok(()),
        false => Err(Error::ChecksumMismatch { algorithm: wanted.algorithm }),
    }
}

fn build_runs(parts: &[&StoredPart]) -> Vec<Run> {
    let mut offset = 0;
    let mut runs = Vec::with_capacity(parts.len().div_ceil(RUN_PARTS_MAX));
    for run in parts.chunks(RUN_PARTS_MAX) {
        runs.push(Run {
            first_offset: offset,
            first_number: run[0].number,
            numbers: run.iter().flat_map(|part| part.number.get().to_be_bytes()).collect(),
        });
        offset += run.iter().map(|part| part.size).sum::<u64>();
    }
    runs
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
    insert_manifest(txn, prepared)?;
    let callback_var: Option<Vec<u8>> = txn
        .prepare("DELETE FROM uploads WHERE id = ?1 RETURNING callback_var")?
        .query_row([id], |row| row.get(0))?;
    let row = objects::Row {
        size: prepared.size,
        etag: prepared.etag,
        content: ContentId::Manifest(*id),
        headers: &prepared.headers,
        checksum: prepared.checksum.as_ref().map(ObjectChecksum::encode),
        event: EventName::ObjectCreatedComplete,
        cause: &prepared.cause,
        callback_var: callback_var.as_deref(),
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
        "INSERT INTO manifests (id, refs, dead, size, parts) VALUES (?1, 1, 0, ?2, ?3)",
        params![prepared.id, prepared.size, prepared.etag.parts],
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

/// What makes two lists the same: numbers and ETags, in order.
fn digest_list(parts: &[ListedPart]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.number.get().to_be_bytes());
        // Each entry has the same length, so that no two lists can run into each other.
        let etag = part.etag.map_or(([0; 16], 0), |etag| (etag.md5, etag.parts.unwrap_or(0)));
        hasher.update([u8::from(part.etag.is_some())]);
        hasher.update(etag.0);
        hasher.update(etag.1.to_be_bytes());
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
