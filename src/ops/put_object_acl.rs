//! PutObjectAcl: takes the list that the object has already, and no other.

use crate::access::WriteObjectAcl;
use crate::request::Call;
use crate::transfer::document;
use crate::transfer::send;
use crate::wire::acl;
use crate::wire::{Response, Result};

/// Answers 200 and changes nothing.
///
/// # Errors
/// NoSuchKey, NoSuchVersion, and those of [`acl::of_headers`] and [`acl::require_owner_only`].
pub async fn handle(call: Call) -> Result<Response> {
    send::only_null_version(&call.head)?;
    let access = call.read_access::<WriteObjectAcl>()?;
    let record = call.context.store.object(&access).await?.open(&access)?;
    let is_named = acl::of_headers(&call.head)?;
    let (document, _) = document::receive(call).await?;
    if !is_named {
        acl::require_owner_only(&document, &record.owner)?;
    }
    Ok(Response::ok())
}
