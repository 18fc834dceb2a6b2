//! PutObjectAcl: takes the list that the object has already, and no other.

use super::Call;
use super::shared::{acl, send};
use crate::wire::{Response, Result};

/// Answers 200 and changes nothing.
///
/// # Errors
/// NoSuchKey, NoSuchVersion, and those of [`acl::put`].
pub async fn handle(call: Call) -> Result<Response> {
    send::only_null_version(&call.head)?;
    let record = call.context.store.object(call.permit(), call.key())?;
    acl::put(call, &record.owner).await
}
