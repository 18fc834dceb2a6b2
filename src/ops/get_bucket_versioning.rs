//! GetBucketVersioning: empty, which says that versioning was never enabled.

use crate::request::Call;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Answers with an empty configuration.
///
/// # Errors
/// None of its own.
pub async fn handle(_call: Call) -> Result<Response> {
    Ok(Response::xml(Writer::document("VersioningConfiguration").finish()))
}
