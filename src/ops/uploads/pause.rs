//! The gate of a paused upload: requests that would change it wait, and are told to come again.
//!
//! **Invariants**
//! - Nothing of the body is read before the gate is passed: no `100 Continue` is sent, no room is
//!   reserved, no thread is taken. What waits holds its connection and one slot of [`PAUSE_USERS`].
//! - The answer is one that SDKs repeat. A final one would make them abort the whole upload.
//! - A resume lets all who wait pass at once, but those whose key or URL has ended meanwhile; a
//!   cancel tells them NoSuchUpload.
//! - Nobody can resume at a server that is about to end, so they are told then at once.
//! - Those who wait leave half of the connections to those who resume, and no user has more than a
//!   quarter of the places.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::limits::PAUSE_USERS;
use crate::request::Call;
use crate::store::OpenUpload;
use crate::wire::{Error, ErrorCode, Result};

/// Seconds after which a client may come again: the waiting itself was here.
const RETRY_AFTER_SECONDS: &str = "1";

/// The open upload, once it takes parts.
///
/// # Errors
/// NoSuchUpload; SlowDown when it is paused for longer than a request may wait; InvalidAccessKeyId
/// and AccessDenied when its key or its URL has ended meanwhile.
pub async fn pass(call: &Call, upload: &UploadHandle<WriteObject>) -> Result<OpenUpload> {
    let open = call.context.store.upload(upload).await?;
    match open.upload.paused {
        None => Ok(open),
        Some(_) => hold(call, upload).await,
    }
}

async fn hold(call: &Call, upload: &UploadHandle<WriteObject>) -> Result<OpenUpload> {
    let config = &call.context.config;
    let places = (config.connections_max / 2).max(1);
    let each = places.div_ceil(PAUSE_USERS);
    let slots = &call.context.limits.paused_requests;
    let _slot = slots.take(&upload.permit().user().id, each, places).ok_or_else(paused)?;
    let until = Instant::now() + Duration::from_millis(config.pause_hold_ms);
    let store = &call.context.store;
    let recheck = call.recheck();
    let mut watch = store.watch_upload(upload.id());
    loop {
        let open = store.upload(upload).await?;
        if open.upload.paused.is_none() {
            recheck()?;
            return Ok(open);
        }
        tokio::select! {
            changed = timeout_at(until, watch.changed()) => changed.map_err(|_| paused())?,
            () = call.context.shutdown.started() => return Err(paused()),
        }
    }
}

fn paused() -> Error {
    Error::because(ErrorCode::SlowDown, "The upload is paused. Please try again.")
        .header("retry-after", RETRY_AFTER_SECONDS)
        .header("x-partita-upload-state", "paused")
}
