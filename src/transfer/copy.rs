//! Sources of CopyObject and UploadPartCopy: opening them, and checksums that are not stored.

use crate::digest::{Checksum, ChecksumAlgorithm, Digests, Hasher, ObjectChecksum, WantedDigests};
use crate::request::Call;
use crate::store::OpenObject;
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
    let mut reader = object.reader(range)?;
    call.context
        .blocking(move |_| {
            while let Some(unit) = reader.next()? {
                hasher.update(&unit);
            }
            Ok(hasher.finish())
        })
        .await
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
