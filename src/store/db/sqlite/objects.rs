//! Objects: published, looked up, deleted.

use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::oneshot;

use super::blob_row::loaded_blob;
use super::contents;
use super::database::Database;
use super::job::{Lane, Purpose, Txn, Work};
use super::outbox::{Detail, EmittedEvent, emit};
use crate::access::{Bucket, ObjectPath};
use crate::events::{CallbackVar, EventName};
use crate::store::blobs::staged::StagedBlob;
use crate::store::blobs::stored::LoadedBlob;
use crate::store::db::sqlite::columns::{
    drop_reference, read_etag, read_object_checksum, reference, require_bucket,
};
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Pending;
use crate::store::records::contents::{ContentId, Readable};
use crate::store::records::events::Cause;
use crate::store::records::objects::{
    DeleteOutcome, NewObject, ObjectRecord, Published, WriteTarget,
};
use crate::store::rules::headers::{decode_headers, encode_headers};
use crate::types::{ETag, ObjectKey, WriteCondition};

/// Keys in one step of DeleteObjects.
const DELETE_STEP_KEYS: usize = 64;

/// The current object of a key, for verbs that replace it.
pub(crate) struct Current {
    pub(crate) seq: i64,
    pub(crate) etag: ETag,
    pub(crate) content: ContentId,
}

/// The row that [`publish`] writes.
pub(crate) struct Row<'a> {
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) content: ContentId,
    /// Encoded by [`encode_headers`].
    pub(crate) headers: &'a [u8],
    /// Encoded by `ObjectChecksum::encode`.
    pub(crate) checksum: Option<Vec<u8>>,
    /// Event of the object.
    pub(crate) event: EventName,
    pub(crate) cause: &'a Cause,
    pub(crate) callback_var: Option<&'a [u8]>,
}

/// An object to be published: values of its row, without the content.
struct PendingObject {
    target: WriteTarget,
    new: NewObject,
    headers: Vec<u8>,
}

impl PendingObject {
    fn new(target: WriteTarget, new: NewObject) -> Self {
        let headers = encode_headers(&new.headers);
        Self { target, new, headers }
    }

    /// Current object of the key, if the conditions hold.
    fn check(&self, txn: &Txn<'_>) -> Result<Option<Current>> {
        let ObjectPath { bucket, key } = &self.target.object;
        require_bucket(txn, bucket)?;
        let current = current(txn, bucket, key)?;
        check_version(self.target.decided_on, current.as_ref())?;
        check_condition(&self.new.condition, current.as_ref())?;
        Ok(current)
    }

    /// Publishes it with `content`, whose reference is taken already.
    fn publish(
        &self,
        txn: &Txn<'_>,
        current: Option<&Current>,
        content: ContentId,
        size: u64,
        etag: ETag,
    ) -> Result<Published> {
        let row = Row {
            size,
            etag,
            content,
            headers: &self.headers,
            checksum: self.new.checksum.as_ref().map(|checksum| checksum.encode()),
            event: self.new.event,
            cause: &self.target.cause,
            callback_var: self.new.callback_var.as_ref().map(CallbackVar::as_bytes),
        };
        let ObjectPath { bucket, key } = &self.target.object;
        publish(txn, bucket, key, current, row)
    }
}

pub(crate) fn put(
    db: &Database,
    target: WriteTarget,
    new: NewObject,
    staged: StagedBlob,
    once: bool,
) -> Pending<Published> {
    let pending = PendingObject::new(target, new);
    db.write_staged(staged, move |txn, staged| {
        let current = pending.check(txn)?;
        let blob = ContentId::Blob(contents::insert_or_share(txn, staged, once)?);
        let digests = staged.digests();
        pending.publish(txn, current.as_ref(), blob, digests.length, ETag::plain(digests.md5))
    })
}

/// Publishes the first of `readables`, single blobs of the same bytes, that can be taken.
pub(crate) fn put_instant(
    db: &Database,
    target: WriteTarget,
    new: NewObject,
    readables: Vec<Readable>,
) -> Pending<Option<Published>> {
    let pending = PendingObject::new(target, new);
    db.write(move |txn| {
        let current = pending.check(txn)?;
        // Before the old content of the key is dropped: it may be the same.
        let Some(taken) = contents::take_first(txn, &readables)? else { return Ok(None) };
        let (blob, digests) = taken.single().ok_or_else(|| damaged("no single blob"))?;
        let (blob, etag) = (ContentId::Blob(blob), ETag::plain(digests.md5));
        pending.publish(txn, current.as_ref(), blob, digests.length, etag).map(Some)
    })
}

/// Publishes `content`, that of the object `source`.
pub(crate) fn copy(
    db: &Database,
    target: WriteTarget,
    new: NewObject,
    content: ContentId,
    source: &ObjectRecord,
) -> Pending<Published> {
    let pending = PendingObject::new(target, new);
    let (size, etag) = (source.size, source.etag);
    db.write(move |txn| {
        let current = pending.check(txn)?;
        // Before the old content of the key is dropped: it may be the same.
        if !reference(txn, content)? {
            return Err(Error::NoSuchKey);
        }
        pending.publish(txn, current.as_ref(), content, size, etag)
    })
}

/// The current object of the key, if there is one.
pub(crate) fn current(txn: &Txn<'_>, bucket: &Bucket, key: &ObjectKey) -> Result<Option<Current>> {
    let mut statement = txn.prepare(
        "SELECT seq, md5, parts, content_kind, content FROM objects
         WHERE bucket = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query(params![bucket.id, key.as_bytes()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let content = ContentId::read(row, "content_kind", "content")?;
    Ok(Some(Current { seq: row.get("seq")?, etag: read_etag(row)?, content }))
}

/// An error unless the current object is the version that the permit was decided on.
pub(crate) fn check_version(decided_on: Option<i64>, current: Option<&Current>) -> Result<()> {
    match decided_on {
        Some(seq) if current.map(|current| current.seq) != Some(seq) => Err(Error::ObjectChanged),
        _ => Ok(()),
    }
}

/// Checks If-Match and If-None-Match against the current object.
pub(crate) fn check_condition(condition: &WriteCondition, current: Option<&Current>) -> Result<()> {
    Ok(condition.check(current.map(|current| &current.etag))?)
}

/// Makes `row` the current object, drops the one that it replaces, and emits the event. The
/// reference of its content is taken already.
pub(crate) fn publish(
    txn: &Txn<'_>,
    bucket: &Bucket,
    key: &ObjectKey,
    current: Option<&Current>,
    row: Row<'_>,
) -> Result<Published> {
    let (seq, modified) = (txn.next_seq()?, txn.now());
    if let Some(current) = current {
        forget(txn, bucket, key, current)?;
    }
    txn.execute(
        "INSERT OR REPLACE INTO objects (bucket, key, seq, is_null, size, md5, parts, modified,
             content_kind, content, owner, checksum)
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            bucket.id,
            key.as_bytes(),
            seq,
            row.size,
            row.etag.md5,
            row.etag.parts,
            modified,
            row.content.kind(),
            row.content.bytes(),
            bucket.owner.id,
            row.checksum,
        ],
    )?;
    if !row.headers.is_empty() {
        txn.execute(
            "INSERT INTO object_headers (bucket, key, seq, headers) VALUES (?1, ?2, ?3, ?4)",
            params![bucket.id, key.as_bytes(), seq, row.headers],
        )?;
    }
    let detail = Detail {
        seq: Some(seq),
        object: Some((row.size, row.etag)),
        headers: Some(row.headers),
        upload: None,
        callback_var: row.callback_var,
    };
    emit(
        txn,
        &EmittedEvent { event: row.event, bucket, key, time: modified, cause: row.cause, detail },
    )?;
    Ok(Published { etag: row.etag, modified })
}

/// Deletes the headers of the current object and drops its content.
fn forget(txn: &Txn<'_>, bucket: &Bucket, key: &ObjectKey, current: &Current) -> Result<()> {
    txn.execute(
        "DELETE FROM object_headers WHERE bucket = ?1 AND key = ?2 AND seq = ?3",
        params![bucket.id, key.as_bytes(), current.seq],
    )?;
    drop_reference(txn, current.content)
}

pub(crate) fn delete(
    db: &Database,
    target: WriteTarget,
    condition: WriteCondition,
) -> Pending<bool> {
    db.free(move |txn| {
        require_bucket(txn, &target.object.bucket)?;
        delete_key(txn, &target, &condition)
    })
}

/// Deletes one key of many. What it finds changed is told as the outcome, and the other keys go on.
fn delete_one(txn: &Txn<'_>, target: &WriteTarget) -> Result<DeleteOutcome> {
    match delete_key(txn, target, &WriteCondition::default()) {
        Ok(true) => Ok(DeleteOutcome::Deleted),
        Ok(false) => Ok(DeleteOutcome::Absent),
        // Found before anything of the key was changed.
        Err(Error::ObjectChanged) => Ok(DeleteOutcome::Changed),
        Err(error) => Err(error),
    }
}

/// Deletes a key; true if it was there. The version and the condition are checked before the first
/// change.
fn delete_key(txn: &Txn<'_>, target: &WriteTarget, condition: &WriteCondition) -> Result<bool> {
    let WriteTarget { object: ObjectPath { bucket, key }, cause, decided_on } = target;
    let current = current(txn, bucket, key)?;
    check_version(*decided_on, current.as_ref())?;
    check_condition(condition, current.as_ref())?;
    let Some(current) = current else { return Ok(false) };
    forget(txn, bucket, key, &current)?;
    txn.execute(
        "DELETE FROM objects WHERE bucket = ?1 AND key = ?2",
        params![bucket.id, key.as_bytes()],
    )?;
    let (event, time) = (EventName::ObjectRemovedDelete, txn.now());
    let detail = Detail::default();
    emit(txn, &EmittedEvent { event, bucket, key, time, cause, detail })?;
    Ok(true)
}

/// Collector of the answers of several jobs.
struct Gather {
    answers: Vec<Option<Vec<DeleteOutcome>>>,
    failed: Option<Error>,
    left: usize,
    reply: Option<oneshot::Sender<Result<Vec<DeleteOutcome>>>>,
}

impl Gather {
    fn take(&mut self, index: usize, answer: Result<Vec<DeleteOutcome>>) {
        match answer {
            Ok(answer) => self.answers[index] = Some(answer),
            Err(error) => self.failed = self.failed.take().or(Some(error)),
        }
        self.left -= 1;
        if self.left == 0 {
            let mut all = || self.answers.iter_mut().flatten().flat_map(std::mem::take).collect();
            let answer = self.failed.take().map_or_else(|| Ok(all()), Err);
            // The receiver may be dropped; the keys are deleted all the same.
            drop(self.reply.take().map(|reply| reply.send(answer)));
        }
    }
}

pub(crate) fn delete_many(db: &Database, targets: Vec<WriteTarget>) -> Pending<Vec<DeleteOutcome>> {
    if targets.is_empty() {
        return Pending::answered(db.alive().map(|()| Vec::new()));
    }
    let (reply, receiver) = oneshot::channel();
    let steps = targets.len().div_ceil(DELETE_STEP_KEYS);
    let gather = Arc::new(Mutex::new(Gather {
        answers: vec![None; steps],
        failed: None,
        left: steps,
        reply: Some(reply),
    }));
    for (index, targets) in targets.chunks(DELETE_STEP_KEYS).enumerate() {
        let targets = targets.to_vec();
        let gather = Arc::clone(&gather);
        let work = move |txn: &Txn<'_>, _: Option<&StagedBlob>| {
            require_bucket(txn, &targets[0].object.bucket)?;
            targets.iter().map(|target| delete_one(txn, target)).collect()
        };
        let reply = move |answer| {
            gather.lock().take(index, answer);
        };
        let lane = if steps == 1 { Lane::Request } else { Lane::Step };
        let purpose = Purpose::Free;
        db.send(Box::new(Work { work, staged: None, purpose, lane, answer: None, reply }));
    }
    Pending::waiting(receiver)
}

pub(crate) fn record(db: &Database, object: &ObjectPath) -> Result<(ObjectRecord, i64)> {
    let ObjectPath { bucket, key } = object;
    db.require_bucket(bucket)?;
    let reader = db.readers.take()?;
    let found = read_record(db, &reader, bucket, key)?;
    found.map(|(record, _, seq)| (record, seq)).ok_or(Error::NoSuchKey)
}

/// Record, content and sequence number of an object.
fn read_record(
    db: &Database,
    connection: &Connection,
    bucket: &Bucket,
    key: &ObjectKey,
) -> Result<Option<(ObjectRecord, ContentId, i64)>> {
    let mut statement = connection.prepare_cached(
        "SELECT size, md5, parts, modified, content_kind, content, owner, checksum, headers, seq
         FROM objects LEFT JOIN object_headers USING (bucket, key, seq)
         WHERE bucket = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query(params![bucket.id, key.as_bytes()])?;
    rows.next()?.map(|row| record_of(db, key, row)).transpose()
}

/// An object with its content, read by one statement.
pub(crate) struct FoundObject {
    pub(crate) record: ObjectRecord,
    pub(crate) content: ContentId,
    /// Sequence number of this version.
    pub(crate) seq: i64,
    /// The blob, if the content is one.
    pub(crate) blob: Option<LoadedBlob>,
}

/// Record, content and, if that is one blob, the blob of an object, by one statement, which is its
/// own snapshot. Every GetObject runs it.
pub(crate) fn read_with_blob(db: &Database, object: &ObjectPath) -> Result<FoundObject> {
    let ObjectPath { bucket, key } = object;
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT o.size, o.md5, parts, modified, content_kind, content, owner, o.checksum, headers,
             seq, b.id, run, inline_row, first_page, pages, b.size, b.md5, b.crc64nvme, b.sha256,
             b.checksum, crc32c, bytes
         FROM objects AS o LEFT JOIN object_headers USING (bucket, key, seq)
             LEFT JOIN blobs AS b ON content_kind = 1 AND b.id = content
             LEFT JOIN inline_bytes ON inline_bytes.id = inline_row
         WHERE bucket = ?1 AND key = ?2",
    )?;
    let mut rows = statement.query(params![bucket.id, key.as_bytes()])?;
    let row = rows.next()?.ok_or(Error::NoSuchKey)?;
    let (record, content, seq) = record_of(db, key, row)?;
    let blob = match content {
        ContentId::Blob(id) if row.get_ref(RECORD_COLUMNS)? == ValueRef::Null => {
            return Err(damaged(format!("blob {id} has no row")));
        }
        ContentId::Blob(_) => Some(loaded_blob(row, RECORD_COLUMNS)?),
        ContentId::Manifest(_) => None,
    };
    Ok(FoundObject { record, content, seq, blob })
}

/// Columns that [`record_of`] reads.
const RECORD_COLUMNS: usize = 10;

/// Reads the columns of the two statements above by number: nine lookups by name cost as much as
/// the row itself.
fn record_of(
    db: &Database,
    key: &ObjectKey,
    row: &rusqlite::Row<'_>,
) -> Result<(ObjectRecord, ContentId, i64)> {
    let etag = ETag { md5: row.get(1)?, parts: row.get(2)? };
    let owner = row.get_ref(6)?.as_str().map_err(rusqlite::Error::from)?;
    let headers = row.get_ref(8)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let record = ObjectRecord {
        key: key.clone(),
        size: row.get(0)?,
        etag,
        modified: row.get(3)?,
        headers: decode_headers(headers.unwrap_or_default())?,
        checksum: read_object_checksum(row, 7)?,
        owner: db.directory().owner(owner),
        parts: etag.parts,
    };
    Ok((record, ContentId::read(row, 4, 5)?, row.get(9)?))
}

/// The current content of the key, in a snapshot of its own.
pub(crate) fn read_content_id(db: &Database, object: &ObjectPath) -> Result<Option<ContentId>> {
    let ObjectPath { bucket, key } = object;
    let found = db
        .readers
        .take()?
        .prepare_cached("SELECT content_kind, content FROM objects WHERE bucket = ?1 AND key = ?2")?
        .query_row(params![bucket.id, key.as_bytes()], |row| {
            Ok(ContentId::read(row, "content_kind", "content"))
        })
        .optional()?;
    found.transpose()
}
