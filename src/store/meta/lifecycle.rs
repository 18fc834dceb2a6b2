//! The turns in the life of an upload, told at one place, inside the transaction that makes them.
//!
//! **Invariant:** every transaction that makes, changes or ends an upload calls [`changed`] for it,
//! so whoever watches an upload misses nothing, and a record of these turns would be written here.

use super::job::Txn;
use crate::store::directory::Effect;
use crate::types::UploadId;

/// What happened to an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Change {
    /// It was opened.
    Created,
    /// A part was stored or replaced.
    Part,
    /// It takes no parts for now.
    Paused,
    /// It takes parts again.
    Resumed,
    /// Its parts are an object now.
    Completed,
    /// Somebody ended it.
    Aborted,
    /// It was idle, or paused, for too long.
    Expired,
    /// Its bucket was deleted.
    Dropped,
    /// Complete found other bytes than were declared; it is still open.
    Failed,
}

/// Tells of a change; what follows from it happens with the COMMIT, or not at all.
pub(crate) fn changed(txn: &Txn<'_>, id: UploadId, change: Change) {
    tracing::trace!(%id, ?change, "upload");
    if change != Change::Created {
        txn.effect(Effect::UploadChanged(id));
    }
}
