//! ListParts: what has arrived of an open upload; the basis of every resume.

use crate::access::ReadUpload;
use crate::ops::listing;
use crate::ops::uploads::expiry;
use crate::request::Call;
use crate::wire::xml::Writer;
use crate::wire::{Response, Result, date};

/// Answers with one page of parts, in ascending order.
///
/// # Errors
/// NoSuchUpload; InvalidArgument for bad numbers.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let upload = call.upload::<ReadUpload>()?;
    let id = upload.id();
    let max = listing::page_size(head, "max-parts")?;
    let marker = head.query.non_empty("part-number-marker").unwrap_or("0");
    let after = listing::part_number_marker(marker)?;
    let page = call.context.run(call.context.store.list_parts(&upload, after, max)).await?;

    let mut xml = Writer::document("ListPartsResult");
    xml.text("Bucket", call.bucket().as_str());
    xml.text("Key", call.key().as_str());
    xml.display("UploadId", id);
    listing::owner(&mut xml, "Initiator", &page.upload.initiator);
    listing::owner(&mut xml, "Owner", &page.upload.initiator);
    xml.text("StorageClass", "STANDARD");
    listing::checksum(&mut xml, page.upload.checksum);
    xml.text("PartNumberMarker", marker);
    let last = page.parts.last().map(|part| part.number.to_string());
    xml.text("NextPartNumberMarker", last.unwrap_or_else(|| marker.to_owned()));
    xml.display("MaxParts", max);
    xml.display("IsTruncated", page.truncated);
    for part in &page.parts {
        xml.element("Part", |xml| {
            xml.word("PartNumber", part.number);
            xml.word("LastModified", date::iso8601(part.modified));
            xml.quoted("ETag", part.etag);
            if let Some(checksum) = &part.checksum {
                xml.word(checksum.algorithm.element(), checksum.base64());
            }
            xml.word("Size", part.size);
        });
    }
    let mut response = Response::xml(xml.finish());
    expiry::announce(&mut response, &page.upload);
    Ok(response)
}
