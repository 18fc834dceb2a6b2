//! GetBucketAcl: the owner has full control, and nobody else has any.

use crate::request::Call;
use crate::wire::acl;
use crate::wire::{Response, Result};

/// Answers with the one grant.
///
/// # Errors
/// None of its own.
pub async fn handle(call: Call) -> Result<Response> {
    let owner = call.context.store.owner(&call.bucket_record()?.owner.id);
    Ok(Response::xml(acl::document(&owner)))
}
