//! Pause and resume: a state of an open upload that everybody meets, and that a restart keeps.
//!
//! **Invariants**
//! - A pause changes neither parts nor generation: what was on its way arrives and counts.
//! - Both verbs can be repeated; only a real change counts as activity, and wakes who waits.

use std::sync::Arc;

use rusqlite::{OptionalExtension as _, params};

use super::lifecycle::{Change, changed};
use super::outbox::Cause;
use super::rows::require_bucket;
use crate::access::Permit;
use crate::clock;
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::pending::Pending;
use crate::types::{ObjectKey, Timestamp, UploadId};

/// Which state an upload shall be in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum State {
    /// It takes parts.
    Uploading,
    /// It takes none for now.
    Paused,
}

pub(crate) fn set(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    id: UploadId,
    state: State,
) -> Pending<()> {
    let (bucket, key) = (Arc::clone(permit.bucket()), key.clone());
    let cause = Cause::of(permit);
    engine.write(move |txn| -> Result<()> {
        require_bucket(txn, &bucket)?;
        let before: Option<Timestamp> = txn
            .prepare("SELECT paused FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3")?
            .query_row(params![id, bucket.id, key.as_bytes()], |row| row.get(0))
            .optional()?
            .ok_or(Error::NoSuchUpload)?;
        if before.is_some() == (state == State::Paused) {
            return Ok(());
        }
        let now = clock::now();
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
