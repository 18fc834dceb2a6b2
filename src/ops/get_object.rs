//! GetObject: an object's bytes, whole, by range or by part, each block checked before it leaves.

use crate::access::ReadObject;
use crate::request::Call;
use crate::transfer::send;
use crate::wire::{Response, Result};

/// Answers 200, 206, or 304.
///
/// # Errors
/// NoSuchKey, NoSuchVersion, PreconditionFailed, InvalidRange, InvalidPartNumber.
pub async fn handle(call: Call) -> Result<Response> {
    let access = call.read_access::<ReadObject>()?;
    let object = call.context.store.open_object(&access).await?.open(&access)?;
    let span = send::part_span(&call, &object).await?;
    let (mut response, selection) = send::prepare(&call.head, &object.record, span)?;
    if let Some(selection) = selection {
        response.body = send::content(&call.context, &object, selection).await?;
    }
    Ok(response)
}
