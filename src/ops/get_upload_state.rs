//! GetUploadState: whether an open upload takes parts, and when it ends by itself.

use super::Call;
use super::shared::{parts, state};
use crate::wire::{Response, Result};

/// Answers with a JSON document (`docs/schemas/state.json`).
///
/// # Errors
/// NoSuchUpload.
pub async fn handle(call: Call) -> Result<Response> {
    let id = parts::upload_id(&call)?;
    state::answer(&call, id)
}
