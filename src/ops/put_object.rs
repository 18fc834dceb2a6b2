//! PutObject: receives an object's bytes and makes it the current one.
//!
//! **Invariant:** everything that can be refused without the body is refused before the first byte
//! of it is read, so a client that waits for 100 Continue never sends it for nothing.

use crate::access::Permit;
use crate::digest::{ChecksumAlgorithm, ObjectChecksum};
use crate::events::EventName;
use crate::ops::uploads::instant;
use crate::request::{Call, Context};
use crate::store::{self, NewObject};
use crate::transfer::{publish, receive};
use crate::types::{ObjectKey, PUT_BYTES_MAX, WriteCondition};
use crate::wire::object_headers;
use crate::wire::{Response, Result, conditions};

/// Receives, verifies, publishes.
///
/// # Errors
/// PreconditionFailed, EntityTooLarge, MissingContentLength, MetadataTooLarge, BadDigest and kin.
pub async fn handle(call: Call) -> Result<Response> {
    object_headers::refuse_unsupported(&call.head)?;
    let headers = object_headers::of_request(&call.head, call.context.config.metadata_bytes_max)?;
    let callback_var = object_headers::callback_var(&call.head)?;
    let condition = conditions::write(&call.head)?;
    let announced = receive::expected(&call.head, &call.body, PUT_BYTES_MAX)?;
    // Judged again by the transaction; judged here so that a hopeless body need not be sent.
    judge_early(&call.context, call.permit(), call.key(), &condition)?;
    let key = call.key().clone();
    let event = EventName::ObjectCreatedPut;
    let object = NewObject { key, headers, checksum: None, condition, event, callback_var };
    match without_body(&call, &announced, &object).await? {
        Some(response) => Ok(response),
        None => {
            let stored = publish::receive(call, announced, object).await?;
            Ok(stored.mark(Response::ok()))
        }
    }
}

/// Publishes by reference what the client waits to send, if it is there already; asks for it
/// otherwise (`None`).
async fn without_body(
    call: &Call,
    announced: &receive::ExpectedBody,
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
        let mut response = publish::Stored { published, checksum }.mark(Response::ok());
        instant::announce(&mut response);
        response
    }))
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
    Ok(condition.check(current.as_ref()).map_err(store::Error::from)?)
}
