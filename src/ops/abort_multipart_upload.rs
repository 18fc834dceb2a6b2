//! AbortMultipartUpload: ends an upload; its parts are garbage from this moment on.

use crate::request::Call;
use crate::wire::{Response, Result};

/// Answers 204.
///
/// # Errors
/// NoSuchUpload.
pub async fn handle(call: Call) -> Result<Response> {
    call.context.store.abort_upload(&call.upload()?).await?;
    Ok(Response::no_content())
}
