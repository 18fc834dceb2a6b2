//! HeadObject: what GetObject would answer, without the bytes.

use super::{Call, send};
use crate::wire::{Response, Result};

/// Answers 200, 206, or 304.
///
/// # Errors
/// As GetObject; the client sees the status alone.
pub async fn handle(call: Call) -> Result<Response> {
    let object = call.context.store.open_object(call.permit(), call.key())?;
    let (response, _) = send::prepare(&call.head, &object)?;
    Ok(response)
}
