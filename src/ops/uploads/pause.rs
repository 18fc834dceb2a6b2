//! Requests on a paused upload: they wait for a while, then get SlowDown.
//!
//! **Invariants**
//! - No byte of the body is read while the upload is paused: no `100 Continue` is sent, no room is
//!   reserved, no thread is taken. A waiting request holds its connection and one slot of a quota.
//! - The answer is one that SDKs repeat. A final one would make them abort the whole upload.
//! - A resume lets all waiting requests pass, except those whose key or URL has expired meanwhile;
//!   a cancel answers them with NoSuchUpload.
//! - A shutdown answers all waiting requests at once, since no resume can come any more.
//! - Waiting requests take at most half of the connections, so that a resume gets one; no user has
//!   more than a quarter of the slots.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::limits::{PAUSE_USERS, RETRY_SOON_SECONDS};
use crate::request::Call;
use crate::store::OpenUpload;
use crate::wire::{Error, Result};

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
    let slots_max = (config.connections_max / 2).max(1);
    let each = slots_max.div_ceil(PAUSE_USERS);
    let slots = &call.context.limits.paused_requests;
    let _slot = slots.take(&upload.permit().user().id, each, slots_max).ok_or_else(paused)?;
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
    Error::slow_down("The upload is paused. Please try again.", RETRY_SOON_SECONDS)
        .header("x-partita-upload-state", "paused")
}
