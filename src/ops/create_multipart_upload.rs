//! CreateMultipartUpload: opens an upload and fixes the object's headers and checksum algorithm.

use super::{Call, metadata};
use crate::store::NewUpload;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result, checksum};

/// Opens the upload.
///
/// # Errors
/// MetadataTooLarge; InvalidRequest for a checksum type that the algorithm does not have.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    metadata::refuse_unsupported(head)?;
    let declared = checksum::declared(head)?;
    let headers = metadata::of_request(head, call.context.config.metadata_bytes_max)?;
    let callback_var = metadata::callback_var(head)?;
    let new = NewUpload { headers, checksum: declared, callback_var };
    let store = &call.context.store;
    let upload = store.create_upload(call.permit(), call.key().clone(), new).await?;

    let mut xml = Writer::document("InitiateMultipartUploadResult");
    xml.text("Bucket", call.bucket().as_str());
    xml.text("Key", call.key().as_str());
    xml.text("UploadId", upload.id.to_string());
    let mut response = Response::xml(xml.finish());
    if let Some((algorithm, kind)) = declared {
        response.set("x-amz-checksum-algorithm", algorithm.name());
        response.set("x-amz-checksum-type", kind.name());
    }
    Ok(response)
}
