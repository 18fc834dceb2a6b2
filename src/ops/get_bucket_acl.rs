//! GetBucketAcl: the owner has full control; there is no other grant.

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
