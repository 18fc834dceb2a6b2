//! HeadObject: what GetObject would answer, without the bytes.

use crate::request::Call;
use crate::transfer::send;
use crate::wire::{Response, Result};

/// Answers 200, 206, or 304.
///
/// # Errors
/// As GetObject; the client sees the status alone.
pub async fn handle(call: Call) -> Result<Response> {
    let store = &call.context.store;
    let access = call.read_access()?;
    // Only a part's place needs the content opened; a plain HEAD reads one row.
    let (record, object) = match call.head.query.has("partNumber") {
        true => {
            let object = store.open_object(&access).await?.open(&access)?;
            (object.record.clone(), Some(object))
        }
        false => (store.object(&access).await?.open(&access)?, None),
    };
    let span = |number| object.as_ref().map_or(Ok(None), |object| object.part(number));
    let (response, _) = send::prepare(&call.head, &record, span)?;
    Ok(response)
}
