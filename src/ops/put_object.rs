//! PutObject: receives an object's bytes and makes it the current one.
//!
//! **Invariant:** everything that can be refused without the body is refused before the first byte
//! of it is read, so a client that waits for 100 Continue never sends it for nothing.

use super::{Call, Context, metadata, receive};
use crate::access::Permit;
use crate::digest::{ChecksumAlgorithm, ObjectChecksum};
use crate::store::{self, BlobOrigin, NewObject};
use crate::types::{ObjectKey, PUT_BYTES_MAX, WriteCondition};
use crate::wire::{Response, Result, conditions};

/// Receives, verifies, publishes.
///
/// # Errors
/// PreconditionFailed, EntityTooLarge, MissingContentLength, MetadataTooLarge, BadDigest and kin.
pub async fn handle(call: Call) -> Result<Response> {
    let Call { context, head, permits, body, .. } = call;
    let permit = permits.into_iter().next().expect("the row demands PutObject of its target");
    metadata::refuse_unsupported(&head)?;
    let headers = metadata::of_request(&head, context.config.metadata_bytes_max)?;
    let callback_var = metadata::callback_var(&head)?;
    let condition = conditions::write(&head)?;
    let announced = receive::announced(&head, &body, PUT_BYTES_MAX)?;
    // Judged again by the transaction; judged here so that a hopeless body need not be sent.
    judge_early(&context, &permit, head.key(), &condition)?;

    let origin = BlobOrigin { bucket: permit.bucket().id, key: head.key().clone(), part: None };
    let plan = receive::Plan { origin, algorithm: None };
    let received = receive::content(&context, body, announced, plan).await?;
    let checksum = received
        .checksum
        .clone()
        .or_else(|| received.staged.digests().checksum_for(ChecksumAlgorithm::Crc64nvme));
    let checksum = checksum.map(ObjectChecksum::full);

    let key = head.key().clone();
    let object = NewObject { key, headers, checksum: checksum.clone(), condition, callback_var };
    let published = context.store.put_object(&permit, object, received.staged).await?;

    let mut response = Response::ok().header("etag", published.etag.quoted());
    if let Some(checksum) = &checksum {
        response.set(checksum.checksum.algorithm.header(), checksum.text());
        response.set("x-amz-checksum-type", checksum.kind.name());
    }
    Ok(response)
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
