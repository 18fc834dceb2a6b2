//! DeleteBucketCors: drops the rules for pages of other origins.

use crate::request::Call;
use crate::store::BucketConfigurationKind;
use crate::wire::{Response, Result};

/// Answers 204, also when there were no rules.
///
/// # Errors
/// None of its own.
pub async fn handle(call: Call) -> Result<Response> {
    let kind = BucketConfigurationKind::Cors;
    call.context.store.delete_bucket_configuration(&call.permit()?, kind).await?;
    Ok(Response::no_content())
}
