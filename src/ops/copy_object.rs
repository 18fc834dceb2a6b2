//! CopyObject: one more reference to the source's content; no byte is moved, whatever the size.

use crate::events::EventName;
use crate::request::Call;
use crate::store::NewObject;
use crate::transfer::copy;
use crate::types::PUT_BYTES_MAX;
use crate::wire::copy_source;
use crate::wire::object_headers;
use crate::wire::xml::Writer;
use crate::wire::{Error, ErrorCode, Response, Result, conditions, date};

/// Copies, with the source's headers or with the request's (`x-amz-metadata-directive`).
///
/// # Errors
/// NoSuchKey for the source; PreconditionFailed; InvalidRequest over 5 GiB and for a copy onto
/// itself that changes nothing.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    object_headers::refuse_unsupported(head)?;
    let directive = directive(&call)?;
    let callback_var = object_headers::callback_var(head)?;
    let condition = conditions::write(head)?;
    let source = copy_source::of_request(head)?;
    let object = copy::open_source(&call, &source).await?;
    if object.record.size > PUT_BYTES_MAX {
        let message = "The specified copy source is larger than the maximum allowable size for a \
                       copy source: 5368709120";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let onto_itself = source.bucket == *call.bucket() && source.key == *call.key();
    let classed = head.header_or_query("x-amz-storage-class")?.is_some();
    if onto_itself && directive == Directive::Copy && !classed {
        let message = "This copy request is illegal because it is trying to copy an object to \
                       itself without changing the object's metadata, storage class, website \
                       redirect location or encryption attributes.";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    let headers = match directive {
        Directive::Copy => object.record.headers.clone(),
        Directive::Replace => {
            object_headers::of_request(head, call.context.config.metadata_bytes_max)?
        }
    };
    let checksum = copy::checksum_of_copy(&call, &object).await?;
    let (checksum_kept, event) = (checksum.clone(), EventName::ObjectCreatedCopy);
    let new = NewObject { headers, checksum: checksum_kept, condition, event, callback_var };
    let published = call.context.store.copy_object(&call.permit()?, new, &object).await?;

    let mut xml = Writer::document("CopyObjectResult");
    xml.text("LastModified", date::iso8601(published.modified));
    xml.text("ETag", published.etag.quoted());
    if let Some(checksum) = &checksum {
        xml.text("ChecksumType", checksum.kind.name());
        xml.text(checksum.checksum.algorithm.element(), checksum.text());
    }
    Ok(Response::xml(xml.finish()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Directive {
    Copy,
    Replace,
}

fn directive(call: &Call) -> Result<Directive> {
    match call.head.header_or_query("x-amz-metadata-directive")?.unwrap_or_default() {
        "" | "COPY" => Ok(Directive::Copy),
        "REPLACE" => Ok(Directive::Replace),
        other => {
            Err(Error::argument("x-amz-metadata-directive", other, "Unknown metadata directive."))
        }
    }
}
