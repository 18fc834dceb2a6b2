//! GetObjectAttributes: the metadata of an object, and its parts, in one document.

use crate::access::ReadAttributes;
use crate::ops::listing;
use crate::request::Call;
use crate::store::{ObjectParts, PartSpan};
use crate::transfer::send;
use crate::types::PartNumber;
use crate::wire::xml::Writer;
use crate::wire::{Error, ErrorCode, Head, Response, Result, date};

/// The header that names the attributes; it may be repeated.
const ATTRIBUTES: &str = "x-amz-object-attributes";

/// Which attributes are asked for.
#[derive(Default)]
struct Asked {
    etag: bool,
    checksum: bool,
    parts: bool,
    storage_class: bool,
    size: bool,
}

/// Answers with the attributes that the request names.
///
/// # Errors
/// NoSuchKey, NoSuchVersion; InvalidRequest without a name, InvalidArgument for an unknown one.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let asked = asked(head)?;
    let max = listing::page_size_of("x-amz-max-parts", head.header_or_query("x-amz-max-parts")?)?;
    let marker = head.header_or_query("x-amz-part-number-marker")?.unwrap_or("0");
    let after = listing::part_number_marker(marker)?;
    send::only_null_version(head)?;
    send::refuse_customer_keys(head)?;
    let access = call.read_access::<ReadAttributes>()?;
    let object = call.context.store.object_parts(&access).await?.open(&access)?;
    let record = object.record();

    let mut xml = Writer::document("GetObjectAttributesResponse");
    if asked.etag {
        xml.display("ETag", record.etag);
    }
    if let Some(checksum) = record.checksum.as_ref().filter(|_| asked.checksum) {
        xml.element("Checksum", |xml| {
            xml.text(checksum.checksum.algorithm.element(), checksum.text());
            xml.text("ChecksumType", checksum.kind.name());
        });
    }
    if let Some(count) = record.parts.filter(|_| asked.parts) {
        let (rows, truncated) = page(&call, &object, after, max).await?;
        let last = rows.last().map_or(after, |(number, _)| number.get());
        xml.element("ObjectParts", |xml| {
            xml.display("PartsCount", count);
            xml.text("PartNumberMarker", marker);
            xml.display("NextPartNumberMarker", last);
            xml.display("MaxParts", max);
            xml.display("IsTruncated", truncated);
            for (number, span) in &rows {
                xml.element("Part", |xml| {
                    xml.display("PartNumber", number);
                    if let Some(checksum) = &span.checksum {
                        xml.text(checksum.algorithm.element(), checksum.base64());
                    }
                    xml.display("Size", span.size);
                });
            }
        });
    }
    if asked.storage_class {
        xml.text("StorageClass", "STANDARD");
    }
    if asked.size {
        xml.display("ObjectSize", record.size);
    }
    Ok(Response::xml(xml.finish()).header("last-modified", date::http_date(record.modified)))
}

/// One page of parts, and whether more follow.
async fn page(
    call: &Call,
    object: &ObjectParts,
    after: u16,
    max: usize,
) -> Result<(Vec<(PartNumber, PartSpan)>, bool)> {
    call.context.run(object.parts(after, max)).await
}

fn asked(head: &Head) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut lines = Vec::new();
    for value in head.headers.get_all(ATTRIBUTES) {
        // What is not text is no attribute's name.
        lines.push(value.to_str().unwrap_or("?"));
    }
    if lines.is_empty() {
        lines.extend(head.header_or_query(ATTRIBUTES)?);
    }
    let joined = lines.join(",");
    let mut names = joined.split(',').map(str::trim).filter(|name| !name.is_empty()).peekable();
    if names.peek().is_none() {
        let message = "Missing required header for this request: x-amz-object-attributes";
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    for name in names {
        match name {
            "ETag" => asked.etag = true,
            "Checksum" => asked.checksum = true,
            "ObjectParts" => asked.parts = true,
            "StorageClass" => asked.storage_class = true,
            "ObjectSize" => asked.size = true,
            other => {
                let message = "Invalid attribute name specified.";
                return Err(Error::argument(ATTRIBUTES, other, message));
            }
        }
    }
    Ok(asked)
}
