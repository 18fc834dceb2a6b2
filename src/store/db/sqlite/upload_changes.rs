//! The turns in the life of an upload, told at one place, inside the transaction that makes them.
//!
//! **Invariant:** every transaction that makes, changes or ends an upload calls [`changed`] for it,
//! so whoever watches an upload misses nothing, and whoever subscribed to its events is told.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;

use super::job::Txn;
use super::outbox::{self, Detail, emit};
use crate::access::Bucket;
use crate::events::EventName;
use crate::store::db::sqlite::columns::read_key;
use crate::store::error::Result;
use crate::store::memory::directory::Effect;
use crate::store::records::BucketConfigurationKind;
use crate::store::records::events::Cause;
use crate::types::{BucketName, UploadId};

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

impl Change {
    /// What those are told who subscribed to it. A completed upload is told of as an object.
    fn event(self) -> Option<EventName> {
        match self {
            Self::Created => Some(EventName::UploadCreated),
            Self::Paused => Some(EventName::UploadPaused),
            Self::Resumed => Some(EventName::UploadResumed),
            Self::Aborted => Some(EventName::UploadAborted),
            Self::Expired => Some(EventName::UploadExpired),
            Self::Failed => Some(EventName::UploadFailed),
            // The rules of a bucket go with it.
            Self::Part | Self::Completed | Self::Dropped => None,
        }
    }
}

/// Tells of a change, while the upload still has its row; what follows from it happens with the
/// COMMIT, or not at all.
pub(crate) fn changed(txn: &Txn<'_>, id: UploadId, change: Change, cause: &Cause) -> Result<()> {
    tracing::trace!(%id, ?change, "upload");
    if change != Change::Created {
        txn.effect(Effect::UploadChanged(id));
    }
    match change.event() {
        Some(event) if txn.shared.directory.count_bucket_configurations() > 0 => {
            tell(txn, id, event, cause)
        }
        _ => Ok(()),
    }
}

fn tell(txn: &Txn<'_>, id: UploadId, event: EventName, cause: &Cause) -> Result<()> {
    let mut statement =
        txn.prepare("SELECT bucket, key, headers, callback_var FROM uploads WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    // Without a bucket it is on its way out already.
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
    emit(txn, &outbox::Change { event, bucket: &bucket, key: &key, time, cause, detail })
}

/// The bucket of that id, if it has rules.
fn bucket_of(txn: &Txn<'_>, id: i64) -> Result<Option<Arc<Bucket>>> {
    let directory = &txn.shared.directory;
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
