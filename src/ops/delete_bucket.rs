//! DeleteBucket: removes an empty bucket; open uploads go with it, as on AWS.

use crate::request::Call;
use crate::wire::{Response, Result};

/// Removes the bucket.
///
/// # Errors
/// BucketNotEmpty while an object is in it.
pub async fn handle(call: Call) -> Result<Response> {
    call.context.store.delete_bucket(&call.permit()?).await?;
    Ok(Response::no_content())
}
