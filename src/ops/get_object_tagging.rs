//! GetObjectTagging: no object has tags here; aws-cli asks before it copies.

use crate::access::ReadObjectTags;
use crate::request::Call;
use crate::transfer::send;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Answers with an empty set.
///
/// # Errors
/// NoSuchKey, NoSuchVersion.
pub async fn handle(call: Call) -> Result<Response> {
    send::only_null_version(&call.head)?;
    let access = call.read_access::<ReadObjectTags>()?;
    call.context.store.object(&access).await?.open(&access)?;
    let mut xml = Writer::document("Tagging");
    xml.element("TagSet", |_| {});
    Ok(Response::xml(xml.finish()))
}
