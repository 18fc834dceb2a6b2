//! Open uploads: created, looked up, ended.
//!
//! **Invariant:** every verb checks in its own transaction that the upload is open, in this bucket
//! and for this key; otherwise it is NoSuchUpload.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::database::Database;
use super::job::Txn;
use super::{contents, declarations};
use crate::access::{Bucket, ObjectPath, UploadPath, User};
use crate::events::CallbackVar;
use crate::store::db::sqlite::columns::{
    GarbageKind, drop_reference, enqueue, read_declared, read_key, require_bucket,
};
use crate::store::db::sqlite::deduplicated;
use crate::store::db::sqlite::upload_changes::{UploadChange, changed};
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;
use crate::store::records::contents::ContentId;
use crate::store::records::events::Cause;
use crate::store::records::uploads::{CreatedUpload, NewUpload, OpenUpload, UploadRecord};
use crate::store::rules::fingerprint;
use crate::store::rules::headers::encode_headers;
use crate::types::{Timestamp, UploadId};

/// Columns that [`read_upload`] needs; the key first, as in every scan.
pub(crate) const UPLOAD_COLUMNS: &str =
    "key, id, initiated, last_active, initiator, checksum_algorithm, checksum_type, paused";

pub(crate) fn read_upload(db: &Database, row: &Row<'_>) -> Result<UploadRecord> {
    let paused = row.get("paused")?;
    Ok(UploadRecord {
        id: row.get("id")?,
        key: read_key(row, "key")?,
        initiated: row.get("initiated")?,
        initiator: db.directory().owner(&row.get::<_, String>("initiator")?),
        checksum: read_declared(row)?,
        paused,
        expires: IdleLimits::of(db).expires(row.get("last_active")?, paused),
    })
}

/// Time limits of open uploads.
#[derive(Clone, Copy)]
pub(crate) struct IdleLimits {
    idle_ms_max: u64,
    pause_ms_max: u64,
}

impl IdleLimits {
    pub(crate) fn of(db: &Database) -> Self {
        let options = &db.options;
        Self { idle_ms_max: options.upload_idle_ms_max, pause_ms_max: options.upload_pause_ms_max }
    }

    /// Time at which an upload expires without further activity: a pause extends it.
    pub(crate) fn expires(self, active: Timestamp, paused: Option<Timestamp>) -> Timestamp {
        match paused {
            None => active.plus_millis(self.idle_ms_max),
            Some(since) => since.plus_millis(self.pause_ms_max),
        }
    }
}

/// Opens an upload, or joins an open one with the same settings and declared file.
pub(crate) fn create(
    db: &Database,
    object: ObjectPath,
    user: &User,
    cause: Cause,
    new: NewUpload,
) -> Pending<CreatedUpload> {
    let ObjectPath { bucket, key } = object;
    let named = fingerprint::fingerprint(bucket.id, &user.id, &key, &new);
    let initiator = db.directory().owner(&user.id);
    let limits = IdleLimits::of(db);
    db.write(move |txn| {
        require_bucket(txn, &bucket)?;
        let now = txn.now();
        let mut upload = UploadRecord {
            id: txn.state.sources.upload_id(),
            key: key.clone(),
            initiated: now,
            initiator: initiator.clone(),
            checksum: new.checksum,
            paused: None,
            expires: limits.expires(now, None),
        };
        let content = take_declared(txn, &new)?;
        // A deduplicated upload is joined only by users who may read its content now.
        let fingerprint = named.map(|named| fingerprint::with_content(named, content));
        if let Some(fingerprint) = &fingerprint
            && let Some(id) = declarations::join(txn, fingerprint)?
        {
            if let Some(content) = content {
                // The joined upload has a reference of its own.
                drop_reference(txn, content)?;
            }
            let sql = "UPDATE uploads SET last_active = ?2 WHERE id = ?1
                 RETURNING initiated, paused, content IS NOT NULL";
            let is_instant;
            (upload.initiated, upload.paused, is_instant) = txn
                .prepare(sql)?
                .query_row(params![id, now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            (upload.id, upload.expires) = (id, limits.expires(now, upload.paused));
            return Ok(CreatedUpload { upload, is_resumed: true, is_instant });
        }
        insert(txn, &bucket, &upload, &new, content)?;
        if let Some(declaration) = &new.declaration {
            declarations::insert(txn, upload.id, declaration, fingerprint)?;
        }
        changed(txn, upload.id, UploadChange::Created, &cause)?;
        Ok(CreatedUpload { upload, is_resumed: false, is_instant: content.is_some() })
    })
}

/// Takes a reference to a content that is the declared file, if one can be taken.
fn take_declared(txn: &Txn<'_>, new: &NewUpload) -> Result<Option<ContentId>> {
    let Some(declaration) = &new.declaration else { return Ok(None) };
    for readable in new.instant.iter().filter(|readable| readable.is(declaration)) {
        if contents::take(txn, readable)? {
            return Ok(Some(readable.content()));
        }
    }
    Ok(None)
}

fn insert(
    txn: &Txn<'_>,
    bucket: &Bucket,
    upload: &UploadRecord,
    new: &NewUpload,
    content: Option<ContentId>,
) -> Result<()> {
    txn.execute(
        "INSERT INTO uploads (id, bucket, key, initiated, last_active, initiator, headers,
             checksum_algorithm, checksum_type, generation, declared, content_kind, content,
             callback_var)
         VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)",
        params![
            upload.id,
            bucket.id,
            upload.key.as_bytes(),
            upload.initiated,
            upload.initiator.id,
            encode_headers(&new.headers),
            new.checksum.map(|(algorithm, _)| algorithm.code()),
            new.checksum.map(|(_, kind)| kind.code()),
            new.declaration.map(|_| true),
            content.map(ContentId::kind),
            content.map(ContentId::bytes),
            new.callback_var.as_ref().map(CallbackVar::as_bytes),
        ],
    )?;
    Ok(())
}

/// The open upload of this bucket and key.
pub(crate) fn find(
    db: &Database,
    connection: &Connection,
    path: &UploadPath,
) -> Result<UploadRecord> {
    let UploadPath { bucket, key, id } = path;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD_COLUMNS} FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![id, bucket.id, key.as_bytes()])?;
    rows.next()?.map_or(Err(Error::NoSuchUpload), |row| read_upload(db, row))
}

/// The open upload with its declaration.
pub(crate) fn open(db: &Database, path: &UploadPath) -> Result<OpenUpload> {
    db.require_bucket(&path.bucket)?;
    find_open(db, &*db.readers.take()?, path)
}

/// The open upload of this bucket and key, with its declaration.
pub(crate) fn find_open(
    db: &Database,
    connection: &Connection,
    path: &UploadPath,
) -> Result<OpenUpload> {
    let UploadPath { bucket, key, id } = path;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {UPLOAD_COLUMNS}, declared, content IS NOT NULL AS is_instant FROM uploads
         WHERE id = ?1 AND bucket = ?2 AND key = ?3"
    ))?;
    let mut rows = statement.query(params![id, bucket.id, key.as_bytes()])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let upload = read_upload(db, row)?;
    // The open row holds the snapshot, so the declaration is of the same moment.
    let declaration = declarations::of_row(connection, row, *id)?;
    Ok(OpenUpload { upload, declaration, is_instant: row.get("is_instant")? })
}

/// Kind of the end of an upload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndKind {
    /// Removes one creator: the upload ends with the last one.
    Abort,
    /// Ends the upload for all creators.
    Cancel,
}

pub(crate) fn end(db: &Database, path: UploadPath, cause: Cause, kind: EndKind) -> Pending<()> {
    let UploadPath { bucket, key, id } = path;
    db.free(move |txn| {
        require_bucket(txn, &bucket)?;
        let sql = "SELECT declared FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3";
        let is_declared: Option<bool> = txn
            .prepare(sql)?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
            .optional()?
            .ok_or(Error::NoSuchUpload)?;
        let is_shared = is_declared.is_some() && kind == EndKind::Abort;
        match is_shared && declarations::leave(txn, id)? {
            true => Ok(()),
            false => drop_open(txn, id, UploadChange::Aborted, &cause),
        }
    })
}

/// Ends an open upload without an object: its parts are garbage.
pub(crate) fn drop_open(
    txn: &Txn<'_>,
    id: UploadId,
    why: UploadChange,
    cause: &Cause,
) -> Result<()> {
    if let Some(content) = remove(txn, id, why, cause)?.content {
        drop_reference(txn, content)?;
    }
    enqueue(txn, GarbageKind::Upload, id.as_bytes())
}

/// Values of an upload whose row was deleted.
pub(crate) struct Removed {
    /// Callback variable of its client.
    pub(crate) callback_var: Option<Vec<u8>>,
    /// Content of a deduplicated upload: the caller owns its reference.
    pub(crate) content: Option<ContentId>,
}

/// Deletes the row of an open upload and its declaration.
pub(crate) fn remove(
    txn: &Txn<'_>,
    id: UploadId,
    why: UploadChange,
    cause: &Cause,
) -> Result<Removed> {
    changed(txn, id, why, cause)?;
    let sql = "DELETE FROM uploads WHERE id = ?1
         RETURNING declared, callback_var, content_kind, content";
    let mut statement = txn.prepare(sql)?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
    let is_declared: Option<bool> = row.get("declared")?;
    let callback_var = row.get("callback_var")?;
    let content = deduplicated::read_content(row)?;
    // A DELETE … RETURNING is finished by dropping its rows.
    drop(rows);
    if is_declared.is_some() {
        declarations::remove(txn, id)?;
    }
    Ok(Removed { callback_var, content })
}
