//! Actions on open uploads: pause, resume, extend, cancel, and the clean-up of idle ones.
//!
//! **Invariant:** an action needs the same right as the operation of S3 that it is like: PutObject
//! for the first three, AbortMultipartUpload for the others.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::call::AdminCall;
use super::failure::{Answer, Failure};
use super::fields::{Fields, invalid};
use super::json::json_response;
use super::uploads::{PAGE_UPLOADS_MAX, UploadScan, bucket, locate, marker};
use crate::access::{AbortUpload, Action, UploadHandle, WriteObject};
use crate::request::operation::Demand;
use crate::store;
use crate::types::Timestamp;
use crate::wire::{Error, Response, date};

/// Uploads that one clean-up examines by default.
const CLEAN_DEFAULT: u64 = 1000;
/// Longest idle time: a hundred years.
const SECONDS_MAX: u64 = 100 * 366 * 86_400;

/// Action that the body of `PUT uploads/ID` names.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum UploadAction {
    /// Refuse parts until a resume.
    Pause,
    /// Accept parts again.
    Resume,
    /// Reset the expiry.
    Extend,
    /// Abort, also if the upload shares its parts with others.
    Cancel,
}

/// `PUT uploads/ID`: does one action; 204. Each action can be repeated.
pub(super) async fn act(call: &AdminCall) -> Answer {
    call.check_parameters(&[])?;
    let mut fields = Fields::of(call)?;
    let action: UploadAction = fields.required("action")?;
    fields.finish()?;
    let writable = || locate::<WriteObject>(call, Action::PutObject);
    let done = match action {
        UploadAction::Pause => call.store.pause_upload(&writable().await?).await,
        UploadAction::Resume => call.store.resume_upload(&writable().await?).await,
        UploadAction::Extend => call.store.extend_upload(&writable().await?).await,
        UploadAction::Cancel => {
            let upload = locate::<AbortUpload>(call, Action::AbortMultipartUpload).await?;
            call.store.cancel_upload(&upload).await
        }
    };
    done.map_err(Error::from)?;
    Ok(Response::no_content())
}

/// `POST uploads/clean`: aborts the idle uploads of one page, or with `dryRun` only lists them.
pub(super) async fn clean(call: &AdminCall) -> Answer {
    call.check_parameters(&[])?;
    let mut fields = Fields::of(call)?;
    let idle_seconds: u64 = fields.required("idleSeconds")?;
    let name: Option<String> = fields.optional("bucket")?;
    let prefix: Option<String> = fields.optional("prefix")?;
    let from: Option<String> = fields.optional("marker")?;
    let limit: u64 = fields.optional("limit")?.unwrap_or(CLEAN_DEFAULT);
    // Without an explicit `false` nothing is aborted.
    let dry_run: bool = fields.optional("dryRun")?.unwrap_or(true);
    fields.finish()?;
    if idle_seconds > SECONDS_MAX {
        let message = format!("It must be at most {SECONDS_MAX}.");
        return Err(invalid("idleSeconds", &idle_seconds.to_string(), message));
    }
    if !(1..=PAGE_UPLOADS_MAX).contains(&limit) {
        let message = format!("It must be a number from 1 to {PAGE_UPLOADS_MAX}.");
        return Err(invalid("limit", &limit.to_string(), message));
    }
    let idle_since = call.store.now().minus_millis(idle_seconds * 1000);
    let scan = UploadScan {
        bucket: bucket(name.as_deref())?,
        prefix: prefix.unwrap_or_default(),
        marker: marker(from.as_deref().filter(|text| !text.is_empty()))?,
        limit,
    };
    let found = scan.run(call).await?;
    let (mut idle, mut bytes) = (Vec::new(), 0);
    for (of, progress) in &found.uploads {
        if progress.last_active > idle_since {
            continue;
        }
        let bucket = of.bucket().name.clone();
        let (key, id) = (&progress.upload.key, progress.upload.id);
        let action = Action::AbortMultipartUpload;
        let demand = Demand { action, bucket: Some(bucket), key: Some(key.clone()) };
        let Ok(permit) = call.caller.demand::<AbortUpload>(demand) else { continue };
        if dry_run || abort_idle(call, &permit.upload(id), idle_since).await? {
            bytes += progress.received_bytes;
            idle.push(json!({
                "uploadId": id.to_string(),
                "bucket": of.bucket().name.as_str(),
                "key": key.as_str(),
                "receivedBytes": progress.received_bytes,
                "lastActiveAt": date::iso8601(progress.last_active),
            }));
        }
    }
    let answer = json!({
        "dryRun": dry_run,
        "uploads": idle,
        "receivedBytes": bytes,
        "nextMarker": found.next,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// Aborts an upload that is still idle. False if it was used or ended meanwhile.
async fn abort_idle(
    call: &AdminCall,
    upload: &UploadHandle<AbortUpload>,
    idle_since: Timestamp,
) -> Result<bool, Failure> {
    match call.store.drop_idle_upload(upload, idle_since).await {
        Ok(dropped) => Ok(dropped),
        // The bucket was deleted meanwhile.
        Err(store::Error::NoSuchBucket) => Ok(false),
        Err(error) => Err(Error::from(error).into()),
    }
}
