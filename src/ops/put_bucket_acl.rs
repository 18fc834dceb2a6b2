//! PutBucketAcl: takes the list that the bucket has already, and no other.

use super::Call;
use super::shared::acl;
use crate::wire::{Response, Result};

/// Answers 200 and changes nothing.
///
/// # Errors
/// Those of [`acl::put`].
pub async fn handle(call: Call) -> Result<Response> {
    let owner = call.context.store.owner(&call.permit().bucket().owner.id);
    acl::put(call, &owner).await
}
