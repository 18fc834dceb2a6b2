//! GetUploadState: whether an open upload takes parts, and when it ends by itself.

use crate::ops::uploads::state;
use crate::request::Call;
use crate::wire::{Response, Result};

/// Answers with a JSON document (`docs/schemas/state.json`).
///
/// # Errors
/// NoSuchUpload.
pub async fn handle(call: Call) -> Result<Response> {
    let id = call.upload_id()?;
    state::answer(&call, id)
}
