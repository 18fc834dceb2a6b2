//! Documents (XML, JSON) in the bodies of requests, received whole and verified.
//!
//! **Invariants**
//! - The bytes of all documents being received are bounded, with a share for each user and upload.
//! - A document arrives within a time that its length allows.
//! - The number of long documents that are parsed at once is bounded.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::framing::next_data;
use super::receive::{compare_sha256, wanted};
use crate::access::Principal;
use crate::auth::Payload;
use crate::digest::{Digests, Hasher};
use crate::limits::byte_budget::{Owner, Reservation};
use crate::limits::{
    DOCUMENT_BYTES_OF_UPLOAD, DOCUMENT_BYTES_OF_USER, DOCUMENT_BYTES_PER_SECOND_MIN,
    DOCUMENT_BYTES_PRESIGNED, DOCUMENT_GRACE, Limits,
};
use crate::request::Call;
use crate::request::body::Incoming;
use crate::request::context::on_pool;
use crate::wire::checksum::{self, ExpectedDigests};
use crate::wire::response::Stream;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Bytes of a document above which it is parsed on the blocking pool: one part in a list takes
/// about a microsecond, and all connections of a thread would wait for ten thousand of them.
const LONG_DOCUMENT_BYTES: usize = 16 << 10;

/// Receives the document of an operation, whole and verified; gives the call back without it. The
/// operation's row says how long it may be.
///
/// # Errors
/// MaxMessageLengthExceeded; IncompleteBody, BadDigest, InvalidDigest, XAmzContentSHA256Mismatch as
/// the checks fail; RequestTimeout for one that arrives too slowly; SlowDown when too many
/// documents are being received, or too many of the user or upload.
pub async fn receive(call: Call) -> Result<(Bytes, Call)> {
    let expected = checksum::expected(&call.head, None)?;
    receive_expected(expected, call).await
}

/// As [`receive`], where the checksum headers are about something else than the document: in
/// CompleteMultipartUpload they are the object's.
///
/// # Errors
/// As [`receive`].
pub async fn receive_of_complete(call: Call) -> Result<(Bytes, Call)> {
    let expected = checksum::expected_md5(&call.head)?;
    receive_expected(expected, call).await
}

async fn receive_expected(expected: ExpectedDigests, call: Call) -> Result<(Bytes, Call)> {
    let (body, call) = call.take_body();
    let bytes_max = call.operation.document_bytes_max();
    let principal = &call.caller.principal;
    let mut owners = vec![of_user(principal)];
    if let Some(user) = principal.user().filter(|_| call.mechanism.is_presigned()) {
        owners.push((Owner::Presigned(user.id.clone()), DOCUMENT_BYTES_PRESIGNED));
    }
    if let Some(upload) = call.head.query.get("uploadId") {
        owners.push((Owner::Upload(upload.to_owned()), DOCUMENT_BYTES_OF_UPLOAD));
    }
    let reservation = call.context.limits.documents.reservation_of(owners);
    let document = receive_body(reservation, &expected, body, bytes_max).await?;
    Ok((document, call))
}

/// Receives the signed document of a request to the management interface.
///
/// # Errors
/// As [`receive`].
pub async fn receive_signed(
    limits: &Limits,
    principal: &Principal,
    head: &Head,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes> {
    let reservation = limits.documents.reservation_of(vec![of_user(principal)]);
    receive_body(reservation, &checksum::expected(head, None)?, body, bytes_max).await
}

/// The share of the caller.
fn of_user(principal: &Principal) -> (Owner, usize) {
    let owner = principal.user().map_or(Owner::Anonymous, |user| Owner::User(user.id.clone()));
    (owner, DOCUMENT_BYTES_OF_USER)
}

/// Parses a document; a long one on the blocking pool.
///
/// # Errors
/// Those of `parse`.
pub async fn parse<T, F>(limits: &Limits, document: Bytes, parse: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&[u8]) -> Result<T> + Send + 'static,
{
    if document.len() <= LONG_DOCUMENT_BYTES {
        return parse(&document);
    }
    let semaphore = Arc::clone(&limits.long_documents);
    let permit = semaphore.acquire_owned().await.expect("the semaphore is never closed");
    let parsing = move || {
        // Held also when the client is gone: until the memory is free.
        let _permit = permit;
        parse(&document)
    };
    on_pool(parsing).await
}

/// Receives a body within the time that its length allows.
async fn receive_body(
    reservation: Reservation,
    expected: &ExpectedDigests,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes> {
    let length = body.content_length.unwrap_or(bytes_max as u64).min(bytes_max as u64);
    let bytes_time = Duration::from_secs(length / DOCUMENT_BYTES_PER_SECOND_MIN);
    let receiving = receive_whole(reservation, expected, body, bytes_max);
    let received = tokio::time::timeout(DOCUMENT_GRACE + bytes_time, receiving).await;
    received.unwrap_or_else(|_| Err(ErrorCode::RequestTimeout.into()))
}

async fn receive_whole(
    mut reservation: Reservation,
    expected: &ExpectedDigests,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes> {
    let too_long = || {
        Error::new(ErrorCode::MaxMessageLengthExceeded)
            .field("MaxMessageLengthBytes", bytes_max.to_string())
    };
    if body.content_length.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_long());
    }
    let mut hasher = Hasher::new(wanted(&body.payload, expected));
    let mut stream = body.stream;
    let mut document = BytesMut::new();
    while let Some(data) = next_data(&mut stream).await? {
        if document.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        reservation.grow(data.len())?;
        hasher.update(&data);
        document.extend_from_slice(&data);
    }
    let digests = hasher.finish();
    verify_sha256(&body.payload, &digests)?;
    checksum::verify(expected, None, &digests)?;
    Ok(document.freeze())
}

/// A body of at most `bytes_max` bytes, read whole, not verified.
///
/// # Errors
/// MaxMessageLengthExceeded, IncompleteBody, RequestTimeout.
pub async fn receive_small(mut stream: Stream, bytes_max: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(data) = next_data(&mut stream).await? {
        if body.len() + data.len() > bytes_max {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        body.extend_from_slice(&data);
    }
    Ok(body.freeze())
}

fn verify_sha256(payload: &Payload, digests: &Digests) -> Result<()> {
    match payload {
        Payload::Sha256(sha256) => compare_sha256(sha256, digests),
        Payload::Unsigned => Ok(()),
        Payload::Chunked(_) | Payload::Form(_) => Err(ErrorCode::InvalidRequest.into()),
    }
}
