//! Sources of CopyObject and UploadPartCopy: opening them, and checksums that are not stored.
//!
//! **Invariant:** a copy that reads its source waits for its turn first ([`turn`]), reads unit by
//! unit, and ends within one unit after its client hung up.

use crate::digest::{Checksum, ChecksumAlgorithm, Digests, Hasher, ObjectChecksum, WantedDigests};
use crate::limits::fair_queue::Running;
use crate::limits::{COPY_WAIT_MAX, RETRY_LATER_SECONDS};
use crate::request::Call;
use crate::store::{Blocking, OpenObject};
use crate::types::ByteRange;
use crate::wire::conditions::{self, Evaluation, Validators};
use crate::wire::copy_source::CopySource;
use crate::wire::{Error, ErrorCode, Result};

/// Opens the source by the permit that was given for it, and checks `x-amz-copy-source-if-*`.
///
/// # Errors
/// NoSuchKey, NoSuchVersion, PreconditionFailed.
pub async fn open_source(call: &Call, source: &CopySource) -> Result<OpenObject> {
    if let Some(version) = source.version_id.as_deref().filter(|version| *version != "null") {
        return Err(Error::new(ErrorCode::NoSuchVersion).field("VersionId", version));
    }
    let access = call.source_access()?;
    let object = call.context.store.open_object(&access).await?.open(&access)?;
    let validators = Validators { etag: &object.record.etag, modified: object.record.modified };
    match conditions::copy_source(&call.head, &validators)? {
        Evaluation::Proceed => Ok(object),
        Evaluation::NotModified => Err(ErrorCode::PreconditionFailed.into()),
        Evaluation::Failed(condition) => {
            Err(Error::new(ErrorCode::PreconditionFailed).field("Condition", condition))
        }
    }
}

/// The algorithm that `x-amz-checksum-algorithm` asks a copy to have.
fn algorithm_asked(call: &Call) -> Result<Option<ChecksumAlgorithm>> {
    let Some(name) = call.head.header_or_query("x-amz-checksum-algorithm")? else {
        return Ok(None);
    };
    match ChecksumAlgorithm::parse(name) {
        Some(algorithm) => Ok(Some(algorithm)),
        None => Err(Error::because(
            ErrorCode::InvalidRequest,
            "Checksum algorithm provided is unsupported.",
        )),
    }
}

/// The checksum of a copied object: the source's, or, in another algorithm, computed by one read.
///
/// # Errors
/// InvalidRequest for an unknown algorithm; InternalError when the source does not verify.
pub async fn checksum_of_copy(call: &Call, object: &OpenObject) -> Result<Option<ObjectChecksum>> {
    let stored = object.record.checksum.clone();
    let Some(algorithm) = algorithm_asked(call)? else { return Ok(stored) };
    if stored.as_ref().is_some_and(|stored| stored.checksum.algorithm == algorithm) {
        return Ok(stored);
    }
    let digests = digests_of(call, object, None, Some(algorithm)).await?;
    Ok(digests.checksum_for(algorithm).map(ObjectChecksum::full))
}

/// Waits for the caller's turn to read a source.
///
/// # Errors
/// SlowDown when the caller, or all callers, wait for too many copies already, and when the turn
/// does not come in time.
pub async fn turn(call: &Call) -> Result<Running> {
    let user = call.caller.principal.user().map_or("", |user| user.id.as_str());
    let ticket = call.context.limits.copies.ticket(user).ok_or_else(busy)?;
    tokio::time::timeout(COPY_WAIT_MAX, ticket.wait()).await.map_err(|_| busy())
}

fn busy() -> Error {
    let message = "Too many copies are reading their source. Please try again.";
    Error::slow_down(message, RETRY_LATER_SECONDS)
}

/// Reads a range through the block check and computes its digests.
async fn digests_of(
    call: &Call,
    object: &OpenObject,
    range: Option<ByteRange>,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Digests> {
    let mut hasher = Hasher::new(WantedDigests { sha256: false, checksum: algorithm });
    if let Some(bytes) = object.inline(range) {
        hasher.update(&bytes);
        return Ok(hasher.finish());
    }
    let _turn = turn(call).await?;
    let mut reader = object.reader(range)?;
    let hash = Blocking::cancellable(move |cancellation| {
        while let Some(unit) = reader.next()? {
            cancellation.check()?;
            hasher.update(&unit);
        }
        Ok(hasher.finish())
    });
    call.context.run(hash).await
}

/// The checksum of a part that is taken by reference, in the upload's algorithm: from the blob's
/// row, or computed by one read.
///
/// # Errors
/// InternalError when the source does not verify.
pub async fn checksum_of_part(
    call: &Call,
    object: &OpenObject,
    range: Option<ByteRange>,
    stored: Option<Checksum>,
    algorithm: Option<ChecksumAlgorithm>,
) -> Result<Option<Checksum>> {
    let Some(algorithm) = algorithm else { return Ok(stored) };
    if stored.as_ref().is_some_and(|stored| stored.algorithm == algorithm) {
        return Ok(stored);
    }
    let digests = digests_of(call, object, range, Some(algorithm)).await?;
    Ok(digests.checksum_for(algorithm))
}
