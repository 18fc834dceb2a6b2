//! AbortMultipartUpload: ends an upload; its parts are garbage from this moment on.

use super::Call;
use super::shared::parts;
use crate::wire::{Response, Result};

/// Answers 204.
///
/// # Errors
/// NoSuchUpload.
pub async fn handle(call: Call) -> Result<Response> {
    let id = parts::upload_id(&call)?;
    call.context.store.abort_upload(call.permit(), call.key(), id).await?;
    Ok(Response::no_content())
}
