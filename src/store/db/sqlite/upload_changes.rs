//! Changes of uploads: emitted inside of the transaction that makes them.
//!
//! **Invariant:** every transaction that creates, changes or ends an upload calls [`changed`] for
//! it, so watchers and subscribers miss nothing.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;

use super::job::Txn;
use super::outbox::{self, Detail, emit};
use crate::access::Bucket;
use crate::events::EventName;
use crate::store::db::sqlite::columns::read_key;
use crate::store::error::Result;
use crate::store::memory::directory::Effect;
use crate::store::records::configurations::BucketConfigurationKind;
use crate::store::records::events::Cause;
use crate::types::{BucketName, UploadId};

/// Change of an upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum UploadChange {
    /// It was opened.
    Created,
    /// A part was stored or replaced.
    Part,
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// It was completed: its parts are an object.
    Completed,
    /// It was aborted by a request.
    Aborted,
    /// It was idle, or paused, for too long.
    Expired,
    /// Its bucket was deleted.
    Dropped,
    /// Complete found other bytes than were declared; it is still open.
    Failed,
}

impl UploadChange {
    /// Event of the change, if it has one. A completed upload has the event of its object.
    fn event(self) -> Option<EventName> {
        match self {
            Self::Created => Some(EventName::UploadCreated),
            Self::Paused => Some(EventName::UploadPaused),
            Self::Resumed => Some(EventName::UploadResumed),
            Self::Aborted => Some(EventName::UploadAborted),
            Self::Expired => Some(EventName::UploadExpired),
            Self::Failed => Some(EventName::UploadFailed),
            // The rules of a deleted bucket are deleted too.
            Self::Part | Self::Completed | Self::Dropped => None,
        }
    }
}

/// Emits a change while the upload still has its row: watchers and the outbox learn of it with the
/// COMMIT.
pub(crate) fn changed(
    txn: &Txn<'_>,
    id: UploadId,
    change: UploadChange,
    cause: &Cause,
) -> Result<()> {
    tracing::trace!(%id, ?change, "upload");
    if change != UploadChange::Created {
        txn.effect(Effect::UploadChanged(id));
    }
    match change.event() {
        Some(event) if txn.state.directory.count_bucket_configurations() > 0 => {
            emit_change(txn, id, event, cause)
        }
        _ => Ok(()),
    }
}

fn emit_change(txn: &Txn<'_>, id: UploadId, event: EventName, cause: &Cause) -> Result<()> {
    let mut statement =
        txn.prepare("SELECT bucket, key, headers, callback_var FROM uploads WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    // Without its bucket, the upload is garbage already.
    let Some(bucket) = bucket_of(txn, row.get("bucket")?)? else { return Ok(()) };
    let (headers, callback_var): (Vec<u8>, Option<Vec<u8>>) =
        (row.get("headers")?, row.get("callback_var")?);
    let detail = Detail {
        headers: Some(&headers),
        upload: Some(id),
        callback_var: callback_var.as_deref(),
        ..Detail::default()
    };
    let (key, time) = (read_key(row, "key")?, txn.now());
    emit(txn, &outbox::EmittedEvent { event, bucket: &bucket, key: &key, time, cause, detail })
}

/// The bucket of that id, if it has rules.
fn bucket_of(txn: &Txn<'_>, id: i64) -> Result<Option<Arc<Bucket>>> {
    let directory = &txn.state.directory;
    if directory.bucket_configuration(id, BucketConfigurationKind::Notification).is_none() {
        return Ok(None);
    }
    let name: Option<String> = txn
        .prepare("SELECT name FROM buckets WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    let name = name.and_then(|name| BucketName::parse(&name));
    Ok(name.and_then(|name| directory.bucket(&name)).filter(|found| found.id == id))
}
