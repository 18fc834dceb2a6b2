//! What an operator or a business server does to open uploads: pause, resume, extend, cancel, and
//! the end of those that nobody works on.

use http::StatusCode;
use serde::Deserialize;
use serde_json::json;

use super::fields::{Fields, invalid};
use super::uploads::{LIMIT_MAX, Scan, bucket, marker, upload};
use super::{AdminCall, Answer, Failure, json_response};
use crate::access::{AbortUpload, Action, UploadHandle, WriteObject};
use crate::clock;
use crate::request::operation::Demand;
use crate::store;
use crate::wire::{Error, Response, date};

/// Uploads that one clean-up looks at, when nobody says.
const CLEAN_DEFAULT: u64 = 1000;
/// A hundred years: older is nothing here.
const SECONDS_MAX: u64 = 100 * 366 * 86_400;

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Change {
    /// Take no parts for now.
    Pause,
    /// Take parts again.
    Resume,
    /// Begin the time until it expires anew.
    Extend,
    /// End, whoever else has it.
    Cancel,
}

/// `PUT uploads/ID`: one change. All of it can be repeated. 204.
pub(super) async fn change(call: &AdminCall) -> Answer {
    call.parameters(&[])?;
    let mut fields = Fields::of(call)?;
    let change: Change = fields.required("action")?;
    fields.end()?;
    let written = || upload::<WriteObject>(call, Action::PutObject);
    let done = match change {
        Change::Pause => call.store.pause_upload(&written().await?).await,
        Change::Resume => call.store.resume_upload(&written().await?).await,
        Change::Extend => call.store.extend_upload(&written().await?).await,
        Change::Cancel => {
            let upload = upload::<AbortUpload>(call, Action::AbortMultipartUpload).await?;
            call.store.cancel_upload(&upload).await
        }
    };
    done.map_err(Error::from)?;
    Ok(Response::no_content())
}

/// `POST uploads/clean`: ends the uploads of one page to which nothing has happened for a time, or
/// only tells which.
pub(super) async fn clean(call: &AdminCall) -> Answer {
    call.parameters(&[])?;
    let mut fields = Fields::of(call)?;
    let idle_seconds: u64 = fields.required("idleSeconds")?;
    let name: Option<String> = fields.optional("bucket")?;
    let prefix: Option<String> = fields.optional("prefix")?;
    let from: Option<String> = fields.optional("marker")?;
    let limit: u64 = fields.optional("limit")?.unwrap_or(CLEAN_DEFAULT);
    // Whoever forgets to say so ends nothing.
    let dry_run: bool = fields.optional("dryRun")?.unwrap_or(true);
    fields.end()?;
    if idle_seconds > SECONDS_MAX {
        let message = format!("It must be at most {SECONDS_MAX}.");
        return Err(invalid("idleSeconds", &idle_seconds.to_string(), message));
    }
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("It must be a number from 1 to {LIMIT_MAX}.");
        return Err(invalid("limit", &limit.to_string(), message));
    }
    let idle_since = clock::now().minus_millis(idle_seconds * 1000);
    let scan = Scan {
        bucket: bucket(name.as_deref())?,
        prefix: prefix.unwrap_or_default(),
        marker: marker(from.as_deref().filter(|text| !text.is_empty()))?,
        limit,
    };
    let found = scan.run(call).await?;
    let (mut ended, mut bytes) = (Vec::new(), 0);
    for (of, progress) in &found.uploads {
        if progress.last_active > idle_since {
            continue;
        }
        let place = of.bucket().name.clone();
        let (key, id) = (&progress.upload.key, progress.upload.id);
        let action = Action::AbortMultipartUpload;
        let demand = Demand { action, bucket: Some(place), key: Some(key.clone()) };
        let Ok(permit) = call.caller.demand::<AbortUpload>(&demand) else { continue };
        if dry_run || drop_idle(call, &permit.upload(id), idle_since).await? {
            bytes += progress.received_bytes;
            ended.push(json!({
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
        "uploads": ended,
        "receivedBytes": bytes,
        "nextMarker": found.next,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

async fn drop_idle(
    call: &AdminCall,
    upload: &UploadHandle<AbortUpload>,
    idle_since: crate::types::Timestamp,
) -> Result<bool, Failure> {
    match call.store.drop_idle_upload(upload, idle_since).await {
        Ok(dropped) => Ok(dropped),
        // The whole bucket went meanwhile.
        Err(store::Error::NoSuchBucket) => Ok(false),
        Err(error) => Err(Error::from(error).into()),
    }
}
