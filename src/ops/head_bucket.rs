//! HeadBucket: whether the bucket is there and the caller may list it.

use crate::request::Call;
use crate::wire::{Response, Result};

/// Answers 200 with the bucket's region.
///
/// # Errors
/// None of its own; the demand has found NoSuchBucket and AccessDenied.
pub async fn handle(call: Call) -> Result<Response> {
    let bucket = call.bucket_record()?;
    Ok(Response::ok()
        .header("x-amz-bucket-region", &bucket.region)
        .header("x-amz-access-point-alias", "false")
        .header("content-type", "application/xml"))
}
