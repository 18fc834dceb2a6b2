//! GetBucketLocation: the region of a bucket, empty for us-east-1.

use crate::request::Call;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Answers with the LocationConstraint.
///
/// # Errors
/// None of its own.
pub async fn handle(call: Call) -> Result<Response> {
    let region = &call.bucket_record()?.region;
    let text = if region == "us-east-1" { "" } else { region.as_str() };
    let mut xml = Writer::document("LocationConstraint");
    xml.content(text);
    Ok(Response::xml(xml.finish()))
}
