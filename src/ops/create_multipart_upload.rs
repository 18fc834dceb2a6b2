//! CreateMultipartUpload: opens an upload and fixes the object's headers and checksum algorithm.

use super::{Call, declared, expiry, instant, metadata};
use crate::store::NewUpload;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result, checksum};

/// Opens the upload.
///
/// # Errors
/// MetadataTooLarge; InvalidRequest for a checksum type that the algorithm does not have;
/// InvalidArgument for a declaration that is malformed, or of no possible upload.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    metadata::refuse_unsupported(head)?;
    let checksum = checksum::declared(head)?;
    let headers = metadata::of_request(head, call.context.config.metadata_bytes_max)?;
    let callback_var = metadata::callback_var(head)?;
    let declaration = declared::of_create(head, &call.context.config)?;
    let algorithm = checksum.map(|(algorithm, _)| algorithm);
    let instant = instant::of_create(&call, declaration.as_ref(), algorithm).await?;
    let new = NewUpload { headers, checksum, declaration, callback_var, instant };
    let store = &call.context.store;
    let created = store.create_upload(call.permit(), call.key().clone(), new).await?;

    let mut xml = Writer::document("InitiateMultipartUploadResult");
    xml.text("Bucket", call.bucket().as_str());
    xml.text("Key", call.key().as_str());
    xml.text("UploadId", created.upload.id.to_string());
    let mut response = Response::xml(xml.finish());
    if let Some((algorithm, kind)) = checksum {
        response.set("x-amz-checksum-algorithm", algorithm.name());
        response.set("x-amz-checksum-type", kind.name());
    }
    expiry::announce(&mut response, &created.upload);
    if let Some(declaration) = &declaration {
        declared::announce(&mut response, declaration, &created);
    }
    Ok(response)
}
