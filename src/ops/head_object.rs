//! HeadObject: what GetObject would answer, without the bytes.

use crate::access::ReadObject;
use crate::request::Call;
use crate::transfer::send;
use crate::wire::{Response, Result};

/// Answers 200, 206, or 304.
///
/// # Errors
/// As GetObject; the client sees the status alone.
pub async fn handle(call: Call) -> Result<Response> {
    let store = &call.context.store;
    let access = call.read_access::<ReadObject>()?;
    // Only a part's place needs the content opened; a plain HEAD reads one row.
    let (record, span) = match call.head.query.has("partNumber") {
        true => {
            let object = store.open_object(&access).await?.open(&access)?;
            let span = send::part_span(&call, &object).await?;
            (object.record, span)
        }
        false => (store.object(&access).await?.open(&access)?, None),
    };
    let (response, _) = send::prepare(&call.head, &record, span)?;
    Ok(response)
}
