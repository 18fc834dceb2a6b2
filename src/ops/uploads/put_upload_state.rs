//! PutUploadState: pauses, resumes or cancels an upload, in a state that the server keeps.
//!
//! A cancel ends the upload for all its creators, where AbortMultipartUpload takes one away.

use crate::access::{AbortUpload, Action, WriteObject};
use crate::ops::uploads::state;
use crate::ops::uploads::state::StateRequest;
use crate::request::Call;
use crate::request::operation::Demand;
use crate::transfer::document;
use crate::wire::{Response, Result};

/// Answers with the new state, or with 204 after a cancel. All of it can be repeated.
///
/// # Errors
/// NoSuchUpload; InvalidRequest for another document; AccessDenied for a cancel by a user who may
/// not abort.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = call.upload::<WriteObject>()?;
    let (document, call) = document::receive(call).await?;
    let store = &call.context.store;
    match state::state_request(&document)? {
        StateRequest::Pause => store.pause_upload(&upload).await?,
        StateRequest::Upload => store.resume_upload(&upload).await?,
        StateRequest::Cancel => {
            let permit = call.caller.demand::<AbortUpload>(Demand {
                action: Action::AbortMultipartUpload,
                bucket: Some(call.bucket().clone()),
                key: Some(call.key().clone()),
            })?;
            store.cancel_upload(&permit.upload(upload.id())).await?;
            return Ok(Response::no_content());
        }
    }
    state::answer(&call, &upload).await
}
