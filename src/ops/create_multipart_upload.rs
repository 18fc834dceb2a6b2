//! CreateMultipartUpload: opens an upload and fixes the object's headers and checksum algorithm.

use crate::access::WriteObject;
use crate::ops::uploads::create::Opened;
use crate::ops::uploads::{create, declared, expiry, instant};
use crate::request::Call;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result};

/// Opens the upload.
///
/// # Errors
/// Those of [`create::open`].
pub async fn handle(call: Call) -> Result<Response> {
    let permit = call.permit::<WriteObject>()?;
    let reader = instant::Reader::of(&call, &permit);
    let opened = create::open(&call.context, &permit, &call.head, reader).await?;
    let how = opened.how();
    let Opened { created, declaration, checksum, .. } = opened;

    let mut xml = Writer::document("InitiateMultipartUploadResult");
    xml.text("Bucket", call.bucket().as_str());
    xml.text("Key", call.key().as_str());
    xml.display("UploadId", created.upload.id);
    let mut response = Response::xml(xml.finish());
    if let Some((algorithm, kind)) = checksum {
        response.set("x-amz-checksum-algorithm", algorithm.name());
        response.set("x-amz-checksum-type", kind.name());
    }
    expiry::announce(&mut response, &created.upload);
    if let Some(declaration) = &declaration {
        declared::announce(&mut response, declaration, how);
    }
    Ok(response)
}
