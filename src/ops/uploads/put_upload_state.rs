//! PutUploadState: pauses, resumes or cancels an upload, in a state that the server keeps.
//!
//! A cancel ends the upload for all its creators, where AbortMultipartUpload takes one away.

use crate::access::Action;
use crate::ops::uploads::state;
use crate::ops::uploads::state::Wish;
use crate::request::Call;
use crate::request::operation::Demand;
use crate::transfer::document;
use crate::wire::{Response, Result};

/// Answers with the new state, or with 204 after a cancel. All of it can be repeated.
///
/// # Errors
/// NoSuchUpload; InvalidRequest for another document; AccessDenied for a cancel by somebody who may
/// not abort.
pub async fn handle(call: Call) -> Result<Response> {
    let id = call.upload_id()?;
    let (document, call) = document::receive(call).await?;
    let wish = state::wish(&document)?;
    let (store, permit, key) = (&call.context.store, call.permit(), call.key());
    match wish {
        Wish::Pause => store.pause_upload(permit, key, id).await?,
        Wish::Upload => store.resume_upload(permit, key, id).await?,
        Wish::Cancel => {
            let permit = call.caller.demand(&Demand {
                action: Action::AbortMultipartUpload,
                bucket: Some(call.bucket().clone()),
                key: Some(key.clone()),
            })?;
            store.cancel_upload(&permit, key, id).await?;
            return Ok(Response::no_content());
        }
    }
    state::answer(&call, id)
}
