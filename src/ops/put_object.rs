//! PutObject: receives an object's bytes and makes it the current one.
//!
//! **Invariant:** everything that can be refused without the body is refused before the first byte
//! of it is read, so a client that waits for 100 Continue never sends it for nothing.

use crate::access::{Permit, WriteObject};
use crate::digest::{ChecksumAlgorithm, ObjectChecksum};
use crate::events::EventName;
use crate::ops::uploads::instant;
use crate::request::{Call, Context};
use crate::store::{self, NewObject};
use crate::transfer::{publish, receive};
use crate::types::{PUT_BYTES_MAX, WriteCondition};
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
    // Checked again by the transaction; checked here so that a refused body need not be sent.
    let permit = call.permit::<WriteObject>()?;
    check_early(&call.context, &permit, &condition).await?;
    let event = EventName::ObjectCreatedPut;
    let object = NewObject { headers, checksum: None, condition, event, callback_var };
    match without_body(&call, &permit, &announced, &object).await? {
        Some(response) => Ok(response),
        None => {
            let stored = publish::receive(call, announced, object).await?;
            Ok(stored.mark(Response::ok()))
        }
    }
}

/// Publishes by reference the body that the client waits to send, if its bytes are stored already;
/// `None` otherwise.
async fn without_body(
    call: &Call,
    permit: &Permit<WriteObject>,
    announced: &receive::ExpectedBody,
    object: &NewObject,
) -> Result<Option<Response>> {
    let readables = instant::of_body(call, permit, announced, None).await?;
    let Some(digests) = readables.first().and_then(store::Readable::digests) else {
        return Ok(None);
    };
    // The same of all of them: they have the same bytes.
    let algorithm = announced.expected.algorithm.unwrap_or(ChecksumAlgorithm::Crc64nvme);
    let checksum = digests.checksum_for(algorithm).map(ObjectChecksum::full);
    let object = NewObject { checksum: checksum.clone(), ..object.clone() };
    let store = &call.context.store;
    let published = store.put_object_instant(permit, object, readables).await?;
    Ok(published.map(|published| {
        let mut response = publish::Stored { published, checksum }.mark(Response::ok());
        instant::announce(&mut response);
        response
    }))
}

/// Checks a condition before the body is asked for.
async fn check_early(
    context: &Context,
    permit: &Permit<WriteObject>,
    condition: &WriteCondition,
) -> Result<()> {
    if condition.is_empty() {
        return Ok(());
    }
    let current = context.store.current_etag(permit).await?;
    Ok(condition.check(current.as_ref()).map_err(store::Error::from)?)
}
