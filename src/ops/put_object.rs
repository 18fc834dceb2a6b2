//! PutObject: receives an object's bytes and makes it the current one.
//!
//! **Invariant:** everything that can be refused without the body is refused before the first byte
//! of it is read, so a client that waits for 100 Continue never sends it for nothing.

use super::{Call, Context, instant, metadata, receive};
use crate::access::Permit;
use crate::digest::{ChecksumAlgorithm, ObjectChecksum};
use crate::store::{self, BlobOrigin, NewObject, Published};
use crate::types::{ObjectKey, PUT_BYTES_MAX, WriteCondition};
use crate::wire::{Response, Result, conditions};

/// Receives, verifies, publishes.
///
/// # Errors
/// PreconditionFailed, EntityTooLarge, MissingContentLength, MetadataTooLarge, BadDigest and kin.
pub async fn handle(call: Call) -> Result<Response> {
    metadata::refuse_unsupported(&call.head)?;
    let headers = metadata::of_request(&call.head, call.context.config.metadata_bytes_max)?;
    let callback_var = metadata::callback_var(&call.head)?;
    let condition = conditions::write(&call.head)?;
    let announced = receive::announced(&call.head, &call.body, PUT_BYTES_MAX)?;
    // Judged again by the transaction; judged here so that a hopeless body need not be sent.
    judge_early(&call.context, call.permit(), call.key(), &condition)?;
    let key = call.key().clone();
    let object = NewObject { key, headers, checksum: None, condition, callback_var };
    match without_body(&call, &announced, &object).await? {
        Some(response) => Ok(response),
        None => with_body(call, announced, object).await,
    }
}

/// Publishes by reference what the client waits to send, if it is there already; asks for it
/// otherwise (`None`).
async fn without_body(
    call: &Call,
    announced: &receive::Announced,
    object: &NewObject,
) -> Result<Option<Response>> {
    let readables = instant::of_body(call, announced, None).await?;
    let Some(digests) = readables.first().and_then(store::Readable::digests) else {
        return Ok(None);
    };
    // The same of all of them: they have the same bytes.
    let algorithm = announced.expected.algorithm.unwrap_or(ChecksumAlgorithm::Crc64nvme);
    let checksum = digests.checksum_for(algorithm).map(ObjectChecksum::full);
    let object = NewObject { checksum: checksum.clone(), ..object.clone() };
    let store = &call.context.store;
    let published = store.put_object_instant(call.permit(), object, readables).await?;
    Ok(published.map(|published| {
        let mut response = render(&published, checksum.as_ref());
        instant::announce(&mut response);
        response
    }))
}

/// Receives the body and publishes it.
async fn with_body(
    call: Call,
    announced: receive::Announced,
    object: NewObject,
) -> Result<Response> {
    let (body, call) = call.take_body();
    let Call { context, head, permits, .. } = call;
    let permit = permits.into_iter().next().expect("the row demands PutObject of its target");
    let origin = BlobOrigin { bucket: permit.bucket().id, key: head.key().clone(), part: None };
    let sha256 = context.store.stores_once(permit.bucket());
    let plan = receive::Plan { origin, algorithm: None, sha256 };
    let received = receive::content(&context, body, announced, plan).await?;
    let checksum = received
        .checksum
        .clone()
        .or_else(|| received.staged.digests().checksum_for(ChecksumAlgorithm::Crc64nvme));
    let checksum = checksum.map(ObjectChecksum::full);

    let object = NewObject { checksum: checksum.clone(), ..object };
    let published = context.store.put_object(&permit, object, received.staged).await?;
    Ok(render(&published, checksum.as_ref()))
}

fn render(published: &Published, checksum: Option<&ObjectChecksum>) -> Response {
    let mut response = Response::ok().header("etag", published.etag.quoted());
    if let Some(checksum) = checksum {
        response.set(checksum.checksum.algorithm.header(), checksum.text());
        response.set("x-amz-checksum-type", checksum.kind.name());
    }
    response
}

/// Judges a condition before the body is asked for.
fn judge_early(
    context: &Context,
    permit: &Permit,
    key: &ObjectKey,
    condition: &WriteCondition,
) -> Result<()> {
    if condition.is_empty() {
        return Ok(());
    }
    let current = match context.store.object(permit, key) {
        Ok(record) => Some(record.etag),
        Err(store::Error::NoSuchKey) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(condition.judge(current.as_ref()).map_err(store::Error::from)?)
}
