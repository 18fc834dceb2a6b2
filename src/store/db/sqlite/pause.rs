//! Pause and resume of open uploads, reset of their expiry, and the drop of idle ones.
//!
//! **Invariants**
//! - A pause survives a restart. It changes neither parts nor generation: parts in flight are
//!   stored.
//! - Pause and resume can be repeated; only a real change counts as activity and wakes watchers.

use crate::access::UploadPath;

use rusqlite::{OptionalExtension as _, params};

use super::database::Database;
use super::uploads::drop_open;
use crate::store::db::sqlite::columns::require_bucket;
use crate::store::db::sqlite::upload_changes::{UploadChange, changed};
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;
use crate::store::records::events::Cause;
use crate::types::Timestamp;

/// Requested state of an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PauseState {
    /// It accepts parts.
    Uploading,
    /// It accepts no parts.
    Paused,
}

pub(crate) fn set(
    db: &Database,
    upload: UploadPath,
    cause: Cause,
    state: PauseState,
) -> Pending<()> {
    let UploadPath { bucket, key, id } = upload;
    db.write(move |txn| -> Result<()> {
        require_bucket(txn, &bucket)?;
        let before: Option<Timestamp> = txn
            .prepare("SELECT paused FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
            .optional()?
            .ok_or(Error::NoSuchUpload)?;
        if before.is_some() == (state == PauseState::Paused) {
            return Ok(());
        }
        let now = txn.now();
        let paused = (state == PauseState::Paused).then_some(now);
        txn.execute(
            "UPDATE uploads SET paused = ?2, last_active = ?3 WHERE id = ?1",
            params![id, paused, now],
        )?;
        let change = match state {
            PauseState::Paused => UploadChange::Paused,
            PauseState::Uploading => UploadChange::Resumed,
        };
        changed(txn, id, change, &cause)
    })
}

/// Resets the expiry of an upload, and that of its pause.
pub(crate) fn extend(db: &Database, upload: UploadPath) -> Pending<()> {
    let UploadPath { bucket, key, id } = upload;
    db.write(move |txn| -> Result<()> {
        require_bucket(txn, &bucket)?;
        let sql = "UPDATE uploads SET last_active = ?4, paused = iif(paused IS NULL, NULL, ?4)
             WHERE id = ?1 AND bucket = ?2 AND key = ?3";
        match txn.execute(sql, params![id, bucket.id, key.as_bytes(), txn.now()])? {
            0 => Err(Error::NoSuchUpload),
            _ => Ok(()),
        }
    })
}

/// Drops an upload that was not active since `idle_since`. The transaction checks that again: a
/// part may have been stored meanwhile.
pub(crate) fn drop_idle(
    db: &Database,
    upload: UploadPath,
    cause: Cause,
    idle_since: Timestamp,
) -> Pending<bool> {
    let UploadPath { bucket, key, id } = upload;
    db.free(move |txn| -> Result<bool> {
        require_bucket(txn, &bucket)?;
        let is_idle = txn
            .prepare(
                "SELECT 1 FROM uploads
                 WHERE id = ?1 AND bucket = ?2 AND key = ?3 AND last_active <= ?4",
            )?
            .exists(params![id, bucket.id, key.as_bytes(), idle_since])?;
        if is_idle {
            drop_open(txn, id, UploadChange::Aborted, &cause)?;
        }
        Ok(is_idle)
    })
}
