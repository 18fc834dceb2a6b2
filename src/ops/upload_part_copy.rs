//! UploadPartCopy: a part out of a stored object.
//!
//! A range that is exactly one stored blob is taken by reference; any other range is read through
//! the block check and written as a blob of its own.

use std::sync::Arc;

use crate::access::UploadHandle;
use crate::access::WriteObject;
use crate::digest::ChecksumAlgorithm;
use crate::ops::uploads::{declared, pause};
use crate::request::Call;
use crate::store::{AddedPart, BlobOrigin, OpenObject};
use crate::transfer::{copy, receive};
use crate::types::{ByteRange, PUT_BYTES_MAX, PartNumber};
use crate::wire::copy_source;
use crate::wire::object_headers;
use crate::wire::xml::Writer;
use crate::wire::{Error, ErrorCode, Response, Result, date, range};

/// Copies the range, or the whole source.
///
/// # Errors
/// SlowDown while the upload is paused; NoSuchUpload, NoSuchKey, PreconditionFailed;
/// InvalidArgument for a malformed range, InvalidRange for one past the end, InvalidRequest over
/// 5 GiB and for a range that is no part of the declared file.
pub async fn handle(call: Call) -> Result<Response> {
    object_headers::refuse_unsupported(&call.head)?;
    let number = call.part_number()?;
    let handle = call.upload::<WriteObject>()?;
    let open = pause::pass(&call, &handle).await?;
    let source = copy_source::of_request(&call.head)?;
    let object = copy::open_source(&call, &source).await?;
    let range = match call.head.header_or_query("x-amz-copy-source-range")? {
        Some(text) => Some(range::parse_copy_range(text, object.record.size)?),
        None => None,
    };
    let bytes = range.map_or(object.record.size, |range| range.len());
    if bytes > PUT_BYTES_MAX {
        let message = "The specified copy source is larger than the maximum allowable size for a \
                       copy source: 5368709120";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    declared::check_part(&call, &handle, &open, number, Some(bytes)).await?;
    let upload = open.upload;
    let algorithm = upload.checksum.map(|(algorithm, _)| algorithm);
    let added = match call.context.run(object.whole_blob(range)).await? {
        Some(blob) => {
            let stored = blob.checksum().cloned();
            let checksum = copy::checksum_of_part(&call, &object, range, stored, algorithm).await?;
            let store = &call.context.store;
            store.copy_part(&handle, number, blob, checksum).await?
        }
        None => copy_bytes(&call, &handle, number, &object, range, algorithm).await?,
    };

    let part = added.part;
    let mut xml = Writer::document("CopyPartResult");
    xml.text("LastModified", date::iso8601(part.modified));
    xml.text("ETag", part.etag.quoted());
    if let Some(checksum) = &part.checksum {
        xml.text(checksum.algorithm.element(), checksum.base64());
    }
    let mut response = Response::xml(xml.finish());
    declared::announce_next(&mut response, added.next);
    Ok(response)
}

async fn copy_bytes(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    number: PartNumber,
    object: &OpenObject,
    range: Option<ByteRange>,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<AddedPart> {
    let _turn = copy::turn(call).await?;
    let origin = BlobOrigin {
        bucket: upload.permit().target_bucket().id,
        key: upload.permit().key().clone(),
        part: Some((upload.id(), number)),
    };
    let user = Arc::clone(upload.permit().user());
    let plan = receive::Plan { user, origin, algorithm, sha256: false };
    let staged = receive::from_object(&call.context, object, range, plan).await?;
    let store = &call.context.store;
    Ok(store.put_part(upload, number, staged).await?)
}
