//! DeleteBucketCors: drops the rules for pages of other origins.

use crate::access::WriteCors;
use crate::request::Call;
use crate::wire::{Response, Result};

/// Answers 204, also when there were no rules.
///
/// # Errors
/// None of its own.
pub async fn handle(call: Call) -> Result<Response> {
    call.context.store.delete_bucket_configuration(&call.permit::<WriteCors>()?).await?;
    Ok(Response::no_content())
}
