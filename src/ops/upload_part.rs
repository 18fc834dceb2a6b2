//! UploadPart: receives the bytes of one part of an open upload.
//!
//! **Invariant:** a part's row exists only for bytes that are already durable.

use std::sync::Arc;

use crate::access::UploadHandle;
use crate::access::WriteObject;
use crate::digest::{Checksum, ChecksumAlgorithm, ChecksumType};
use crate::ops::uploads::declared;
use crate::ops::uploads::declared::Bound;
use crate::ops::uploads::{instant, missing_parts, pause};
use crate::request::Call;
use crate::store::{self, AddedPart, BlobOrigin, InstantPart, UploadRecord};
use crate::transfer::receive;
use crate::types::{PUT_BYTES_MAX, PartNumber};
use crate::wire::checksum::ExpectedDigests;
use crate::wire::object_headers;
use crate::wire::{Error, ErrorCode, Response, Result};

/// Receives, verifies, records; the same number again replaces the part.
///
/// # Errors
/// SlowDown while the upload is paused, before the body is read; NoSuchUpload before the body and,
/// if the upload ended meanwhile, after it; InvalidArgument for the number; BadDigest and its kin;
/// InvalidRequest for a checksum in another algorithm than the upload's, and for a part that cannot
/// be one of the declared file; InvalidRange for another Content-Range than the part has.
pub async fn handle(call: Call) -> Result<Response> {
    object_headers::refuse_unsupported(&call.head)?;
    let number = call.part_number()?;
    let upload = call.upload::<WriteObject>()?;
    let store = call.context.store.clone();
    let open = pause::pass(&call, &upload).await?;
    declared::check_part(&call, &upload, &open, number, call.body.declared_length()).await?;
    let mut announced = receive::expected(&call.head, &call.body, PUT_BYTES_MAX)?;
    // An announced length was checked by `check_part` above.
    let bound = match Bound::of(&call.head, &open, number)? {
        Some(bound) if announced.limit_to(bound.limits())? => Some(bound),
        _ => None,
    };
    let algorithm = agree(&open.upload, &announced.expected)?;

    if let Some(response) = without_body(&call, &upload, number, &announced, algorithm).await? {
        return Ok(response);
    }
    let (bucket, key) = (upload.permit().target_bucket(), upload.permit().key().clone());
    let origin = BlobOrigin { bucket: bucket.id, key, part: Some((upload.id(), number)) };
    let user = Arc::clone(upload.permit().user());
    let plan = receive::Plan { user, origin, algorithm, sha256: store.stores_once(bucket) };
    let (body, call) = call.take_body();
    let received = receive::content(
        &call.context,
        body.metered(&call.context.limits.upload_rates, upload.id()),
        announced,
        plan,
    )
    .await;
    let received = match (received, bound) {
        (Err(error), Some(bound)) => {
            return Err(bound.explain(&call, &upload, number, error).await);
        }
        (received, _) => received?,
    };
    let sent = received.checksum.clone();
    let added = match store.put_part(&upload, number, received.staged).await {
        // Its length was not known before.
        Err(error @ store::Error::PartMisfit { .. }) => {
            return Err(missing_parts::with_missing(&call, &upload, error.into()).await);
        }
        added => added?,
    };
    Ok(render(added, sent))
}

/// Stores by reference the part that the client waits to send, if its bytes are stored already;
/// `None` otherwise.
async fn without_body(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    number: PartNumber,
    announced: &receive::ExpectedBody,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Option<Response>> {
    let readables = instant::of_body(call, upload.permit(), announced, algorithm).await?;
    if readables.is_empty() {
        return Ok(None);
    }
    let sent = announced.expected.checksum.clone();
    let parts = vec![InstantPart { number, readables, checksum: sent.clone() }];
    let store = &call.context.store;
    let added = store.put_parts_instant(upload, parts).await?;
    Ok(added.into_iter().next().flatten().map(|added| {
        let mut response = render(added, sent);
        instant::announce(&mut response);
        response
    }))
}

fn render(added: AddedPart, sent: Option<Checksum>) -> Response {
    let mut response = Response::ok().header("etag", added.part.etag.quoted());
    declared::announce_next(&mut response, added.next);
    // Clients copy this into Complete; without it their own Complete would be refused.
    if let Some(checksum) = added.part.checksum.or(sent) {
        response.set(checksum.algorithm.header(), checksum.base64());
    }
    response
}

/// The algorithm to compute for this part, when it and the upload agree.
fn agree(upload: &UploadRecord, expected: &ExpectedDigests) -> Result<Option<ChecksumAlgorithm>> {
    let Some((declared, kind)) = upload.checksum else { return Ok(expected.algorithm) };
    let sent = expected.checksum.as_ref().map(|checksum| checksum.algorithm).or(expected.trailer);
    let mismatch = match sent {
        Some(sent) => sent != declared,
        None => kind == ChecksumType::Composite,
    };
    if mismatch {
        let message = format!(
            "Checksum Type mismatch occurred, expected checksum Type: {}, actual checksum Type: {}",
            declared.name().to_ascii_lowercase(),
            sent.map_or("null".to_owned(), |sent| sent.name().to_ascii_lowercase())
        );
        return Err(Error::because(ErrorCode::InvalidRequest, message));
    }
    Ok(Some(declared))
}
