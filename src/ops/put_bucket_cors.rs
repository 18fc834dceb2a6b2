//! PutBucketCors: sets the rules for pages of other origins, in place of all earlier ones.

use crate::access::WriteCors;
use crate::request::Call;
use crate::transfer::document;
use crate::wire::{ErrorCode, Response, Result, cors};

/// Reads the rules and keeps them in their canonical form: what is kept was understood, what is
/// answered later is a document of our own, and both are the same bytes.
///
/// # Errors
/// MissingRequestBodyError, and those of [`cors::parse`].
pub async fn handle(call: Call) -> Result<Response> {
    let permit = call.permit::<WriteCors>()?;
    let (document, call) = document::receive(call).await?;
    if document.iter().all(u8::is_ascii_whitespace) {
        return Err(ErrorCode::MissingRequestBodyError.into());
    }
    let document = cors::parse(&document)?.document();
    call.context.store.put_bucket_configuration(&permit, document).await?;
    Ok(Response::ok())
}
