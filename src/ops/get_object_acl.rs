//! GetObjectAcl: the owner has full control; there is no other grant.

use crate::access::ReadObjectAcl;
use crate::request::Call;
use crate::transfer::send;
use crate::wire::acl;
use crate::wire::{Response, Result};

/// Answers with the one grant.
///
/// # Errors
/// NoSuchKey, NoSuchVersion.
pub async fn handle(call: Call) -> Result<Response> {
    send::only_null_version(&call.head)?;
    let access = call.read_access::<ReadObjectAcl>()?;
    let record = call.context.store.object(&access).await?.open(&access)?;
    Ok(Response::xml(acl::document(&record.owner)))
}
