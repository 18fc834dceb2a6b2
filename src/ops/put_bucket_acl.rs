//! PutBucketAcl: takes the list that the bucket has already, and no other.

use crate::request::Call;
use crate::transfer::document;
use crate::wire::acl;
use crate::wire::{Response, Result};

/// Answers 200 and changes nothing.
///
/// # Errors
/// Those of [`acl::of_headers`] and [`acl::require_owner_only`].
pub async fn handle(call: Call) -> Result<Response> {
    let owner = call.context.store.owner(&call.bucket_record()?.owner.id);
    let is_named = acl::of_headers(&call.head)?;
    let (document, _) = document::receive(call).await?;
    if !is_named {
        acl::require_owner_only(&document, &owner)?;
    }
    Ok(Response::ok())
}
