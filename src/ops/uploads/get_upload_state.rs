//! GetUploadState: whether an open upload takes parts, and when it ends by itself.

use crate::access::ReadUpload;
use crate::ops::uploads::state;
use crate::request::Call;
use crate::wire::{Response, Result};

/// Answers with a JSON document (`docs/schemas/state.json`).
///
/// # Errors
/// NoSuchUpload.
pub async fn handle(call: Call) -> Result<Response> {
    state::answer(&call, &call.upload::<ReadUpload>()?).await
}
