//! Receiving of content, the only way bytes enter: body → aws-chunked decoder → digests → a staged
//! blob.
//!
//! **Invariant:** a staged blob leaves this file only after every check that the request asked for
//! has passed: chunk signatures, trailer, length, SHA-256, Content-MD5, checksum, the end of a
//! form. Until then the bytes are in memory or in a file that nothing names.
//!
//! A small body is gathered in memory and then goes to SQLite or, packed, to a segment; the memory
//! of all bodies to be packed is bounded. Memory for a larger body
//! is two chunks (see [`crate::limits::chunk_size`]): one being written, one filling.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use subtle::ConstantTimeEq;

use super::framing::{Framing, Source};
use super::staging::{self, StagingFile};
use crate::access::User;
use crate::auth::chunked::{ChunkedDecoder, Trailers};
use crate::auth::{LengthRange, Payload};
use crate::digest::lanes::Md5Lane;
use crate::digest::{
    Checksum, ChecksumAlgorithm, Digests, Hasher, HasherWithoutMd5, WantedDigests,
};
use crate::limits::byte_budget::Reservation;
use crate::limits::chunk_size::TransferGuard;
use crate::request::Context;
use crate::request::body::Incoming;
use crate::store::{AdmittedWriter, BlobOrigin, ContentReader, OpenObject, StagedBlob, Store};
use crate::types::ByteRange;
use crate::wire::checksum::{self, ExpectedDigests};
use crate::wire::form::FIELDS_BYTES_MAX;
use crate::wire::own_headers::MAX_BYTES;
use crate::wire::{Error, ErrorCode, Head, Result};

/// Capacity in bytes that a small body gets before its first byte.
const FIRST_BYTES: usize = 4 << 10;

/// A received body.
pub struct Received {
    /// The bytes, synced when they are in a file, named by nothing yet.
    pub staged: StagedBlob,
    /// The checksum that the client sent, verified.
    pub checksum: Option<Checksum>,
}

/// Length and digests that the head announces for a body.
pub struct ExpectedBody {
    /// Bytes of content; `None` with chunked transfer coding.
    length: Option<u64>,
    /// Fewest and most bytes of content.
    bytes_min: u64,
    bytes_max: u64,
    /// The digests that it is held to.
    pub expected: ExpectedDigests,
}

impl ExpectedBody {
    /// Limits a body of unknown length; true if its length is unknown.
    ///
    /// # Errors
    /// EntityTooLarge when a body within these limits may be longer than it is allowed to be.
    pub fn limit_to(&mut self, (bytes_min, bytes_max): (u64, u64)) -> Result<bool> {
        if self.length.is_some() {
            return Ok(false);
        }
        if bytes_max > self.bytes_max {
            return Err(too_large(bytes_max, self.bytes_max));
        }
        (self.bytes_min, self.bytes_max) = (self.bytes_min.max(bytes_min), bytes_max);
        Ok(true)
    }
}

/// Destination of a body.
pub struct Plan {
    /// The user whose share of the disk's room it takes while it comes.
    pub user: Arc<User>,
    /// Origin of the bytes, for the blob's trailer.
    pub origin: BlobOrigin,
    /// The algorithm of the upload, computed even when the client sent no value in it.
    pub algorithm: Option<ChecksumAlgorithm>,
    /// True if SHA-256 is computed also when the client does not name it.
    pub sha256: bool,
}

/// Expectations of a body, from its length and checksum headers. Everything that can be refused
/// before the first byte is refused here.
///
/// # Errors
/// MissingContentLength, EntityTooLarge, and those of [`checksum::expected`].
pub fn expected(head: &Head, body: &Incoming, bytes_max: u64) -> Result<ExpectedBody> {
    let bytes_max = own_limit(head)?.map_or(bytes_max, |own| own.min(bytes_max));
    let length = body.declared_length();
    if length.is_none() && !head.has_header("transfer-encoding") {
        return Err(ErrorCode::MissingContentLength.into());
    }
    if let Some(length) = length.filter(|length| *length > bytes_max) {
        return Err(too_large(length, bytes_max));
    }
    let expected = checksum::expected(head, body.trailer())?;
    Ok(ExpectedBody { length, bytes_min: 0, bytes_max, expected })
}

/// Expectations of the file of a form, whose length is known at its end. Only an impossible length
/// is refused before.
///
/// # Errors
/// EntityTooLarge, EntityTooSmall, and those of [`checksum::expected`].
pub fn expected_file(
    head: &Head,
    body: &Incoming,
    bytes_max: u64,
    bounds: LengthRange,
) -> Result<ExpectedBody> {
    let bytes_max = bytes_max.min(bounds.bytes_max);
    let bytes_max = own_limit(head)?.map_or(bytes_max, |own| own.min(bytes_max));
    if let Some(most) = body.file_bytes_max() {
        let least = most.saturating_sub(FIELDS_BYTES_MAX as u64);
        if least > bytes_max {
            return Err(too_large(least, bytes_max));
        }
        if most < bounds.bytes_min {
            return Err(too_small(most, bounds.bytes_min));
        }
    }
    let expected = checksum::expected(head, None)?;
    Ok(ExpectedBody { length: None, bytes_min: bounds.bytes_min, bytes_max, expected })
}

fn too_large(length: u64, bytes_max: u64) -> Error {
    Error::new(ErrorCode::EntityTooLarge)
        .field("ProposedSize", length.to_string())
        .field("MaxSizeAllowed", bytes_max.to_string())
}

fn too_small(length: u64, bytes_min: u64) -> Error {
    Error::new(ErrorCode::EntityTooSmall)
        .field("ProposedSize", length.to_string())
        .field("MinSizeAllowed", bytes_min.to_string())
}

/// Limit in `x-partita-max-bytes`, in headers or query; the signature covers it.
fn own_limit(head: &Head) -> Result<Option<u64>> {
    head.decimal(MAX_BYTES, "Expected a number of bytes in decimal digits.")
}

/// Receives the content of a PutObject, a PostObject or an UploadPart, as [`expected`].
///
/// # Errors
/// IncompleteBody, RequestTimeout; EntityTooLarge for a body of unknown length; BadDigest and its
/// kin; what the store says of a full or broken disk.
pub async fn content(
    context: &Context,
    body: Incoming,
    body_expected: ExpectedBody,
    plan: Plan,
) -> Result<Received> {
    let ExpectedBody { length, bytes_min, bytes_max, mut expected } = body_expected;
    expected.algorithm = expected.algorithm.or(plan.algorithm);
    // Held while the bytes come, so that bodies on their way in cannot overshoot together.
    let admission = context.store.admit(&plan.user, length)?;
    let inline_max = context.config.inline_bytes_max;
    let Incoming { stream, payload, .. } = body;
    let mut want = wanted(&payload, &expected);
    // A body that SQLite will hold is never shared.
    want.sha256 |= plan.sha256 && length.is_none_or(|length| length > inline_max as u64);
    let raw = match length {
        Some(length) => Framing::Raw { left: length },
        None => Framing::Unmeasured { left: bytes_max },
    };
    let (sha256, framing) = match payload {
        Payload::Unsigned => (None, raw),
        Payload::Sha256(sha256) => (Some(sha256), raw),
        Payload::Chunked(chunked) => {
            (None, Framing::Chunked(Box::new(ChunkedDecoder::new(chunked))))
        }
        Payload::Form(file) => (None, Framing::Form { file, left: bytes_max }),
    };
    let mut source = Source::new(stream, framing);
    let checks = Checks { expected, sha256, length, bytes_min };
    // A body of unknown length begins in memory, and moves to a file when it grows.
    let (gathered_max, mut share) = gathered_max(context, length);
    let buffered = match length {
        Some(length) if length > gathered_max as u64 => Buffered::default(),
        _ => Buffered::in_memory(&mut source, length, gathered_max).await?,
    };
    let received = match buffered.ended {
        true => in_memory(context, &mut source, buffered, want, checks, plan.origin).await,
        false => {
            // However long the rest takes, it is not gathered: others may.
            drop(share.take());
            let file = context.store.begin_blob(plan.origin, admission);
            let file = context.run(file).await?;
            in_file(context, &mut source, buffered, want, checks, file).await
        }
    };
    drop(share);
    received
}

/// Up to which size a body of this length is gathered in memory, and its share of the memory that
/// there is for those that SQLite does not take. When all of that is taken, a body goes to a file
/// of its own, in units.
fn gathered_max(context: &Context, length: Option<u64>) -> (usize, Option<Reservation>) {
    let (inline_max, packed_max) =
        (context.config.inline_bytes_max, context.config.packed_bytes_max);
    let may_be_packed = inline_max < packed_max
        && length
            .is_none_or(|length| (inline_max as u64 + 1..=packed_max as u64).contains(&length));
    if !may_be_packed {
        return (inline_max, None);
    }
    let mut share = context.limits.packing.reservation();
    match share.grow(length.map_or(packed_max, |length| length as usize)) {
        Ok(()) => (packed_max, Some(share)),
        Err(_) => (inline_max, None),
    }
}

struct Checks {
    expected: ExpectedDigests,
    sha256: Option<[u8; 32]>,
    length: Option<u64>,
    bytes_min: u64,
}

impl Checks {
    /// Every check that needs the whole body.
    fn verify(&self, trailers: Option<Trailers>, digests: &Digests) -> Result<Option<Checksum>> {
        if self.length.is_some_and(|length| digests.length != length) {
            return Err(ErrorCode::IncompleteBody.into());
        }
        if digests.length < self.bytes_min {
            return Err(too_small(digests.length, self.bytes_min));
        }
        if let Some(sha256) = &self.sha256 {
            compare_sha256(sha256, digests)?;
        }
        let trailer = trailers.as_ref().and_then(|trailers| {
            let of_checksum =
                |(name, _): &&(String, String)| ChecksumAlgorithm::from_header(name).is_some();
            trailers.0.iter().find(of_checksum).map(|(name, value)| (name.as_str(), value.as_str()))
        });
        checksum::verify(&self.expected, trailer, digests)
    }
}

/// Bytes of a body that are in memory.
#[derive(Default)]
struct Buffered {
    content: BytesMut,
    ended: bool,
}

impl Buffered {
    /// Gathers a body until it ends or is over `bytes_max`.
    async fn in_memory(source: &mut Source, length: Option<u64>, bytes_max: usize) -> Result<Self> {
        // A body that does not come holds no memory for what it announced; one that does is not
        // moved from room to larger room.
        let length = length.map_or(0, |length| length.min(bytes_max as u64) as usize);
        let begun = length.min(FIRST_BYTES);
        let mut content = BytesMut::with_capacity(begun);
        let mut more = source.fill(&mut content, begun.max(1)).await?;
        if more {
            content.reserve(length.saturating_sub(content.len()));
            more = source.fill(&mut content, bytes_max + 1).await?;
        }
        Ok(Self { content, ended: !more })
    }
}

async fn in_memory(
    context: &Context,
    source: &mut Source,
    buffered: Buffered,
    want: WantedDigests,
    checks: Checks,
    origin: BlobOrigin,
) -> Result<Received> {
    let content = buffered.content.freeze();
    let trailers = source.finish()?;
    let digests = digests_of(context, &content, want).await?;
    let checksum = checks.verify(trailers, &digests)?;
    let staged = stage(context, origin, content, digests).await?;
    Ok(Received { staged, checksum })
}

/// The digests of a body that is in memory. One that is too large for SQLite takes as long as many
/// requests: its MD5 is not computed on the thread that serves.
async fn digests_of(context: &Context, content: &Bytes, want: WantedDigests) -> Result<Digests> {
    if content.len() <= context.config.inline_bytes_max {
        let mut hasher = Hasher::new(want);
        hasher.update(content);
        return Ok(hasher.finish());
    }
    let mut md5 = context.limits.md5.begin(Md5Lane::default(), content.clone());
    let mut others = HasherWithoutMd5::new(want);
    others.update(content);
    Ok(others.finish(md5.wait().await?.finish()))
}

/// Stages a body that is in memory: for SQLite, or in a file that it shares.
async fn stage(
    context: &Context,
    origin: BlobOrigin,
    content: Bytes,
    digests: Digests,
) -> Result<StagedBlob> {
    if content.len() <= context.config.inline_bytes_max {
        return Ok(context.store.stage_inline(content, digests));
    }
    Ok(context.store.pack(origin, content, digests).await?)
}

async fn in_file(
    context: &Context,
    source: &mut Source,
    buffered: Buffered,
    want: WantedDigests,
    checks: Checks,
    writer: AdmittedWriter,
) -> Result<Received> {
    let mut file = StagingFile::new(writer, want, context.limits.md5.clone());
    let transfer = context.limits.transfers.begin();
    let Buffered { content: mut unit, .. } = buffered;
    loop {
        let bytes = transfer.chunk_bytes();
        unit.reserve(bytes.saturating_sub(unit.len()));
        let more = source.fill(&mut unit, bytes).await?;
        if !unit.is_empty() {
            file.write(std::mem::take(&mut unit).freeze()).await?;
        }
        if !more {
            break;
        }
    }
    let trailers = source.finish()?;
    let (writer, digests) = file.finish().await?;
    let checksum = match checks.verify(trailers, &digests) {
        Ok(checksum) => checksum,
        Err(error) => {
            staging::unlink(writer);
            return Err(error);
        }
    };
    let staged = context.blocking(move |_| writer.finish(digests)).await?;
    Ok(Received { staged, checksum })
}

pub(crate) fn wanted(payload: &Payload, expected: &ExpectedDigests) -> WantedDigests {
    WantedDigests { sha256: matches!(payload, Payload::Sha256(_)), checksum: expected.algorithm }
}

pub(crate) fn compare_sha256(signed: &[u8; 32], digests: &Digests) -> Result<()> {
    let computed = digests.sha256.expect("asked for when the payload is signed");
    if bool::from(computed.ct_eq(signed)) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::XAmzContentSHA256Mismatch)
        .field("ClientComputedContentSHA256", hex::encode(signed))
        .field("S3ComputedContentSHA256", hex::encode(computed)))
}

/// Reads a range of a stored object through the block check and stages it as a blob of its own:
/// the bytes of a copy that must read.
///
/// # Errors
/// InternalError when the source does not verify; what the store says of a full or broken disk.
pub async fn from_object(
    context: &Context,
    object: &OpenObject,
    range: Option<ByteRange>,
    plan: Plan,
) -> Result<StagedBlob> {
    let Plan { user, origin, algorithm, sha256 } = plan;
    let want = WantedDigests { sha256, checksum: algorithm };
    let length = range.map_or(object.record.size, |range| range.len());
    let admission = context.store.admit(&user, Some(length))?;
    if let Some(bytes) = object.inline(range) {
        let mut hasher = Hasher::new(want);
        hasher.update(&bytes);
        return Ok(context.store.stage_inline(bytes, hasher.finish()));
    }
    let mut reader = object.reader(range)?;
    let transfer = context.limits.transfers.begin();
    let (gathered_max, _share) = gathered_max(context, Some(length));
    if length <= gathered_max as u64 {
        let mut content = BytesMut::with_capacity(length as usize);
        while let (rest, Some(unit)) = read_unit(context, reader, &transfer).await? {
            content.extend_from_slice(&unit);
            reader = rest;
        }
        let content = content.freeze();
        let digests = digests_of(context, &content, want).await?;
        return stage(context, origin, content, digests).await;
    }
    let writer = context.run(context.store.begin_blob(origin, admission)).await?;
    let mut file = StagingFile::new(writer, want, context.limits.md5.clone());
    // A unit is read while the one before is hashed and written.
    while let (rest, Some(unit)) = read_unit(context, reader, &transfer).await? {
        file.write(unit).await?;
        reader = rest;
    }
    let (writer, digests) = file.finish().await?;
    context.blocking(move |_| writer.finish(digests)).await
}

/// Reads the next unit on the blocking pool; gives the reader back with it.
async fn read_unit(
    context: &Context,
    mut reader: ContentReader,
    transfer: &TransferGuard,
) -> Result<(ContentReader, Option<Bytes>)> {
    reader.limit_unit(transfer.chunk_bytes());
    let read = move |_: &Store| {
        let unit = reader.next()?;
        Ok((reader, unit))
    };
    context.blocking(read).await
}
