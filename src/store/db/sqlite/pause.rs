//! Pause and resume: a state of an open upload that everybody meets, and that a restart keeps; and
//! what an operator does about time: more of it, or the end of what is idle.
//!
//! **Invariants**
//! - A pause changes neither parts nor generation: what was on its way arrives and counts.
//! - Both verbs can be repeated; only a real change counts as activity, and wakes who waits.

use crate::access::UploadPath;

use rusqlite::{OptionalExtension as _, params};

use super::database::Database;
use super::uploads::drop_open;
use crate::store::db::sqlite::columns::require_bucket;
use crate::store::db::sqlite::upload_changes::{Change, changed};
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Pending;
use crate::store::records::events::Cause;
use crate::types::Timestamp;

/// Which state an upload shall be in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It takes parts.
    Uploading,
    /// It takes none for now.
    Paused,
}

pub(crate) fn set(db: &Database, upload: UploadPath, cause: Cause, state: State) -> Pending<()> {
    let UploadPath { bucket, key, id } = upload;
    db.write(move |txn| -> Result<()> {
        require_bucket(txn, &bucket)?;
        let before: Option<Timestamp> = txn
            .prepare("SELECT paused FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
            .optional()?
            .ok_or(Error::NoSuchUpload)?;
        if before.is_some() == (state == State::Paused) {
            return Ok(());
        }
        let now = txn.now();
        let paused = (state == State::Paused).then_some(now);
        txn.execute(
            "UPDATE uploads SET paused = ?2, last_active = ?3 WHERE id = ?1",
            params![id, paused, now],
        )?;
        let change = match state {
            State::Paused => Change::Paused,
            State::Uploading => Change::Resumed,
        };
        changed(txn, id, change, &cause)
    })
}

/// As if something had just happened to the upload: the time until it expires begins anew, that of
/// its pause too.
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

/// Ends an upload to which nothing has happened since `idle_since`, judged in the transaction that
/// does it: a part may have come after somebody looked.
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
            drop_open(txn, id, Change::Aborted, &cause)?;
        }
        Ok(is_idle)
    })
}
