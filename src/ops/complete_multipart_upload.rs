//! CompleteMultipartUpload: joins the listed parts in one transaction that moves no byte.
//!
//! **Invariant:** every refusal is a real 4xx: all checks are done before the first byte of the
//! answer, and the upload survives them.

use super::{COMPLETE_BYTES_MAX, Call, parts, receive};
use crate::digest::{Checksum, ChecksumAlgorithm};
use crate::store::{CompleteUpload, ListedPart};
use crate::types::{ETag, PART_NUMBER_MAX, PartNumber};
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Head, Response, Result, checksum, conditions, encoding};

/// Publishes the object; the same request again gets the same answer.
///
/// # Errors
/// NoSuchUpload, MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall, PreconditionFailed,
/// BadDigest, InvalidRequest for sizes and checksums that do not agree.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = parts::upload_id(&call)?;
    let condition = conditions::write(&call.head)?;
    let object_size = object_size(&call.head)?;
    let checksum_type = checksum::object_type(&call.head)?;
    let checksum = checksum::object_checksum(&call.head)?;
    let (permit, key) = (call.permit().clone(), call.key().clone());
    // Before the document is asked for: it may be long.
    if !call.context.store.knows_upload(&permit, &key, upload)? {
        return Err(Error::new(ErrorCode::NoSuchUpload).field("UploadId", upload.to_string()));
    }
    let document = receive::document_of_complete(&call.head, call.body, COMPLETE_BYTES_MAX).await?;
    let parts = listed_parts(&document)?;
    let request = CompleteUpload {
        key: key.clone(),
        upload,
        parts,
        condition,
        object_size,
        checksum_type,
        checksum,
    };
    let bucket = permit.bucket().name.clone();
    let completed = call.context.blocking(move |store| store.complete_upload(&permit, request));
    let completed = completed.await.map_err(|error| match error.code {
        ErrorCode::InvalidPart => error.field("UploadId", upload.to_string()),
        _ => error,
    })?;

    let mut xml = Writer::document("CompleteMultipartUploadResult");
    xml.text("Location", location(&call.head, bucket.as_str(), key.as_str()));
    xml.text("Bucket", bucket.as_str());
    xml.text("Key", key.as_str());
    xml.text("ETag", completed.etag.quoted());
    if let Some(checksum) = &completed.checksum {
        xml.text(checksum.checksum.algorithm.element(), checksum.text());
        xml.text("ChecksumType", checksum.kind.name());
    }
    Ok(Response::xml(xml.finish()))
}

/// The URL of the object, in the style of the request.
fn location(head: &Head, bucket: &str, key: &str) -> String {
    let scheme = if head.secure { "https" } else { "http" };
    let path = encoding::object_path(key);
    match head.virtual_host {
        true => format!("{scheme}://{}/{path}", head.host),
        false => format!("{scheme}://{}/{bucket}/{path}", head.host),
    }
}

fn object_size(head: &Head) -> Result<Option<u64>> {
    let Some(text) = head.header_or_query("x-amz-mp-object-size")? else { return Ok(None) };
    text.parse().map(Some).map_err(|_| {
        let message = "The x-amz-mp-object-size header must be a number of bytes.";
        Error::argument("x-amz-mp-object-size", text, message)
    })
}

fn listed_parts(document: &[u8]) -> Result<Vec<ListedPart>> {
    let root = xml::parse(document, "CompleteMultipartUpload")?;
    let mut parts = Vec::new();
    for element in root.children("Part") {
        if parts.len() == usize::from(PART_NUMBER_MAX) {
            return Err(ErrorCode::MalformedXML.into());
        }
        parts.push(listed_part(element)?);
    }
    match parts.is_empty() {
        true => Err(ErrorCode::MalformedXML.into()),
        false => Ok(parts),
    }
}

fn listed_part(element: &Element) -> Result<ListedPart> {
    let number = element.text_of("PartNumber").ok_or(ErrorCode::MalformedXML)?.trim();
    let number = PartNumber::parse(number).ok_or_else(|| {
        let message = "PartNumber must be an integer between 1 and 10000, inclusive";
        Error::argument("PartNumber", number, message)
    })?;
    let etag = element.text_of("ETag").ok_or(ErrorCode::MalformedXML)?;
    let mut checksums = Vec::new();
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(text) = element.text_of(algorithm.element()) {
            let checksum = Checksum::parse(*algorithm, text.trim());
            checksums.push(checksum.ok_or(ErrorCode::InvalidPart)?);
        }
    }
    Ok(ListedPart { number, etag: ETag::parse(etag), checksums })
}
