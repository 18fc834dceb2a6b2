//! GetBucketCors: the rules for pages of other origins.

use crate::access::ReadCors;
use crate::request::Call;
use crate::wire::{Error, ErrorCode, Response, Result};

/// Answers with the document as it is kept.
///
/// # Errors
/// NoSuchCORSConfiguration when there are no rules.
pub async fn handle(call: Call) -> Result<Response> {
    let found = call.context.store.bucket_configuration(&call.permit::<ReadCors>()?)?;
    match found {
        Some(found) => Ok(Response::xml(found.bytes().to_vec())),
        None => Err(Error::new(ErrorCode::NoSuchCORSConfiguration)
            .field("BucketName", call.bucket().as_str())),
    }
}
