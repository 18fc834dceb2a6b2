//! ListMultipartUploads: the open uploads of a bucket, by key and then by time of initiation.

use crate::ops::listing;
use crate::ops::listing::Keys;
use crate::request::Call;
use crate::store::{Listed, UploadRecord, UploadsQuery};
use crate::types::UploadId;
use crate::wire::xml::Writer;
use crate::wire::{Error, Response, Result, date};

/// Answers with one page.
///
/// # Errors
/// InvalidArgument for bad parameters and for an upload id marker that is no upload id.
pub async fn handle(call: Call) -> Result<Response> {
    let head = &call.head;
    let keys = Keys::of_request(head)?;
    let max = listing::page_size(head, "max-uploads")?;
    let key_marker = head.query.non_empty("key-marker");
    // S3 overlooks the upload id marker when there is no key marker.
    let id_marker = head.query.non_empty("upload-id-marker").filter(|_| key_marker.is_some());
    let delimiter = head.query.non_empty("delimiter").map(str::to_owned);
    let upload_id_marker =
        match id_marker {
            None => None,
            Some(text) => Some(UploadId::parse(text).ok_or_else(|| {
                Error::argument("upload-id-marker", text, "Invalid uploadId marker")
            })?),
        };
    let query = UploadsQuery {
        prefix: listing::text(head, "prefix").to_owned(),
        delimiter: delimiter.clone(),
        key_marker: key_marker.map(str::to_owned),
        upload_id_marker,
        max,
    };
    let list = call.context.store.list_uploads(&call.permit()?, query);
    let page = call.context.run(list).await?;

    let mut xml = Writer::document("ListMultipartUploadsResult");
    xml.text("Bucket", call.bucket().as_str());
    xml.text("KeyMarker", keys.text(key_marker.unwrap_or_default()));
    xml.text("UploadIdMarker", id_marker.unwrap_or_default());
    if page.truncated {
        let (key, id) = match page.entries.last() {
            Some(Listed::Item(upload)) => (upload.key.as_str(), upload.id.to_string()),
            Some(Listed::Prefix(prefix)) => (prefix.as_str(), String::new()),
            None => ("", String::new()),
        };
        xml.text("NextKeyMarker", keys.text(key));
        xml.text("NextUploadIdMarker", id);
    }
    xml.text("Prefix", keys.text(listing::text(head, "prefix")));
    xml.optional("Delimiter", delimiter.as_deref().map(|delimiter| keys.text(delimiter)));
    keys.note(&mut xml);
    xml.display("MaxUploads", max);
    xml.display("IsTruncated", page.truncated);
    for entry in &page.entries {
        match entry {
            Listed::Item(upload) => xml.element("Upload", |xml| describe(xml, keys, upload)),
            Listed::Prefix(prefix) => xml.element("CommonPrefixes", |xml| {
                xml.text("Prefix", keys.text(prefix));
            }),
        };
    }
    Ok(Response::xml(xml.finish()))
}

fn describe(xml: &mut Writer, keys: Keys, upload: &UploadRecord) {
    xml.text("Key", keys.text(upload.key.as_str()));
    xml.display("UploadId", upload.id);
    listing::owner(xml, "Initiator", &upload.initiator);
    listing::owner(xml, "Owner", &upload.initiator);
    xml.text("StorageClass", "STANDARD");
    listing::checksum(xml, upload.checksum);
    xml.text("Initiated", date::iso8601(upload.initiated));
}
