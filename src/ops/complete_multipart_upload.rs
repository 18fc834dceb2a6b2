//! CompleteMultipartUpload: joins the listed parts in one transaction that moves no byte.
//!
//! **Invariant:** every refusal is a real 4xx: all checks are done before the first byte of the
//! answer, and the upload survives them. Only when the whole file must be read to verify it, which
//! may take long, the answer can be a 200 with an error in its body, as AWS does it.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use crate::digest::{Checksum, ChecksumAlgorithm};
use crate::limits::RETRY_LATER_SECONDS;
use crate::limits::fair_queue::Ticket;
use crate::ops::uploads::{declared, pause};
use crate::request::{Call, Context};
use crate::store::{CompleteUpload, Completed, ListedPart};
use crate::transfer::document;
use crate::types::{ETag, PART_NUMBER_MAX, PartNumber, decimal};
use crate::wire::xml::{self, Element, Writer};
use crate::wire::{Error, ErrorCode, Head, Response, Result, checksum, conditions, encoding};

/// Publishes the object; the same request again gets the same answer.
///
/// # Errors
/// SlowDown while the upload is paused, and when too many whole files wait to be verified;
/// NoSuchUpload, MalformedXML, InvalidPart, InvalidPartOrder, EntityTooSmall, PreconditionFailed,
/// BadDigest; InvalidRequest for sizes and checksums that do not agree, and for gaps in a declared
/// file.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = call.upload::<WriteObject>()?;
    let condition = conditions::write(&call.head)?;
    let object_size = object_size(&call.head)?;
    let checksum_type = checksum::object_type(&call.head)?;
    let checksum = checksum::object_checksum(&call.head)?;
    let digests = declared::digests(&call.head)?;
    // Before the document is asked for: it may be long.
    let is_long = declared_digests(&call, &upload).await? || !digests.is_empty();
    let user = &upload.permit().user().id;
    let queue = &call.context.limits.verifications;
    let ticket = match is_long {
        true => Some(queue.ticket_of_upload(user, &upload.id().to_string()).ok_or_else(busy)?),
        false => None,
    };
    let (document, call) = document::receive_of_complete(call).await?;
    let parts = document::parse(&call.context.limits, document, listed_parts).await?;
    let request =
        CompleteUpload { parts, condition, object_size, checksum_type, checksum, digests };
    let work = complete(call.context, upload, request, call.head, ticket);
    match is_long {
        true => Ok(Response::deferred(work)),
        false => work.await,
    }
}

/// True if digests of the whole file were declared at Create; false too when the upload was
/// completed not long ago.
async fn declared_digests(call: &Call, upload: &UploadHandle<WriteObject>) -> Result<bool> {
    let store = &call.context.store;
    match pause::pass(call, upload).await {
        Ok(open) => Ok(open.declaration.is_some_and(|declared| !declared.digests.is_empty())),
        Err(error) if error.code != ErrorCode::NoSuchUpload => Err(error),
        Err(_) if store.knows_upload(upload).await? => Ok(false),
        Err(error) => Err(error.field("UploadId", upload.id().to_string())),
    }
}

async fn complete(
    context: Context,
    upload: UploadHandle<WriteObject>,
    request: CompleteUpload,
    head: Head,
    ticket: Option<Ticket>,
) -> Result<Response> {
    let _running = match ticket {
        Some(ticket) => Some(ticket.wait().await),
        None => None,
    };
    let (bucket, id) = (upload.permit().target_bucket().name.clone(), upload.id());
    let completed = context.run(context.store.complete_upload(&upload, request));
    let completed = completed.await.map_err(|error| match error.code {
        ErrorCode::InvalidPart => error.field("UploadId", id.to_string()),
        _ => error,
    })?;
    Ok(render(&head, bucket.as_str(), &completed))
}

fn busy() -> Error {
    let message = "Too many whole files are to be verified. Please try again.";
    Error::slow_down(message, RETRY_LATER_SECONDS)
}

fn render(head: &Head, bucket: &str, completed: &Completed) -> Response {
    let key = head.key().as_str();
    let mut xml = Writer::document("CompleteMultipartUploadResult");
    xml.text("Location", encoding::object_url(head, bucket, key));
    xml.text("Bucket", bucket);
    xml.text("Key", key);
    xml.text("ETag", completed.etag.quoted());
    if let Some(checksum) = &completed.checksum {
        xml.text(checksum.checksum.algorithm.element(), checksum.text());
        xml.text("ChecksumType", checksum.kind.name());
    }
    Response::xml(xml.finish())
}

/// The size that the request names, in S3's header or in ours.
fn object_size(head: &Head) -> Result<Option<u64>> {
    let ours = declared::object_size(head)?;
    let Some(text) = head.header_or_query("x-amz-mp-object-size")? else { return Ok(ours) };
    let refused = |message: &str| Error::argument("x-amz-mp-object-size", text, message);
    let size = decimal::parse(text)
        .ok_or_else(|| refused("The x-amz-mp-object-size header must be a number of bytes."))?;
    match ours.is_none_or(|ours| ours == size) {
        true => Ok(Some(size)),
        false => Err(refused("x-amz-mp-object-size and x-partita-object-size differ.")),
    }
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
