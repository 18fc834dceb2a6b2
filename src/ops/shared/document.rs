//! Documents: the bodies of requests that tell what to do, read whole and verified.
//!
//! **Invariant:** what all documents on their way in hold together is bounded, and so is the number
//! of long ones that are read at once.

use bytes::{Bytes, BytesMut};
use tokio::sync::Semaphore;

use super::budget::Budget;
use super::context::on_pool;
use super::framing::next_data;
use super::incoming::Incoming;
use super::receive::{compare_sha256, wanted};
use crate::auth::Payload;
use crate::digest::{Digests, Hasher};
use crate::wire::checksum::{self, Expected};
use crate::wire::response::Stream;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Bytes of all documents on their way in: one may be long, and there are many connections.
static DOCUMENTS: Budget = Budget::new(128 << 20);

/// Bytes of a document above which it is not read on a thread that serves: one part in a list takes
/// about a microsecond, and all connections of the thread wait for ten thousand of them.
const LONG_DOCUMENT_BYTES: usize = 16 << 10;

/// Long documents that are read at once: each becomes a few times as long in memory.
static READING: Semaphore = Semaphore::const_new(4);

/// A document, read whole and verified.
///
/// # Errors
/// MaxMessageLengthExceeded over `bytes_max`; IncompleteBody, BadDigest, InvalidDigest,
/// XAmzContentSHA256Mismatch as the checks fail.
pub async fn receive(head: &Head, body: Incoming, bytes_max: usize) -> Result<Bytes> {
    let expected = checksum::expected(head, None)?;
    receive_held(expected, body, bytes_max).await
}

/// As [`receive`], where the checksum headers speak of something else than the document: in
/// CompleteMultipartUpload they are the object's.
///
/// # Errors
/// As [`receive`].
pub async fn receive_of_complete(head: &Head, body: Incoming, bytes_max: usize) -> Result<Bytes> {
    receive_held(checksum::expected_md5(head)?, body, bytes_max).await
}

/// What `read` makes of a document; of a long one on the blocking pool.
///
/// # Errors
/// Those of `read`.
pub async fn read<T, F>(document: Bytes, read: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&[u8]) -> Result<T> + Send + 'static,
{
    if document.len() <= LONG_DOCUMENT_BYTES {
        return read(&document);
    }
    let turn = READING.acquire().await.expect("it is never closed");
    let reading = move || {
        // Also when the client is gone: until the memory is free.
        let _turn = turn;
        read(&document)
    };
    on_pool(reading).await
}

async fn receive_held(expected: Expected, body: Incoming, bytes_max: usize) -> Result<Bytes> {
    let too_long = || {
        Error::new(ErrorCode::MaxMessageLengthExceeded)
            .field("MaxMessageLengthBytes", bytes_max.to_string())
    };
    if body.content_length.is_some_and(|length| length > bytes_max as u64) {
        return Err(too_long());
    }
    let mut hasher = Hasher::new(wanted(&body.payload, &expected));
    let mut stream = body.stream;
    let mut document = BytesMut::new();
    let mut share = DOCUMENTS.share();
    while let Some(data) = next_data(&mut stream).await? {
        if document.len() + data.len() > bytes_max {
            return Err(too_long());
        }
        share.grow(data.len())?;
        hasher.update(&data);
        document.extend_from_slice(&data);
    }
    let digests = hasher.finish();
    verify_sha256(&body.payload, &digests)?;
    checksum::verify(&expected, None, &digests)?;
    Ok(document.freeze())
}

/// A body of at most `bytes_max`, read whole, as it comes.
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
