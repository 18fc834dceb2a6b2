//! Preparation of CompleteMultipartUpload: all work that needs no transaction.
//!
//! **Invariant:** the result follows from the request and one snapshot of the upload alone, and
//! names its generation. It may be published as long as that is the upload's generation.

use std::sync::Arc;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::access::{Bucket, UploadPath};
use crate::digest::{
    Checksum, ChecksumAlgorithm, ChecksumType, Combiner, ObjectChecksum, composite,
};
use crate::store::error::{Error, Result, damaged};
use crate::store::records::contents::ContentId;
use crate::store::records::declared::{Declaration, WholeDigests};
use crate::store::records::events::Cause;
use crate::store::records::missing_parts::{Blocks, Gap, Incomplete};
use crate::store::records::uploads::{CompleteUpload, ListedPart, UploadRecord};
use crate::store::rules::manifest::RUN_PARTS_MAX;
use crate::types::{BlobId, ETag, Layout, OBJECT_BYTES_MAX, PartNumber, WriteCondition};

/// A part as it is stored.
pub(crate) struct StoredPart {
    pub(crate) number: PartNumber,
    pub(crate) blob: BlobId,
    pub(crate) size: u64,
    pub(crate) md5: [u8; 16],
    pub(crate) checksum: Option<Checksum>,
    pub(crate) crc64nvme: u64,
}

/// A run of listed parts: its first offset and number, and the packed numbers.
pub(crate) struct Run {
    pub(crate) first_offset: u64,
    pub(crate) first_number: PartNumber,
    pub(crate) numbers: Vec<u8>,
}

/// An upload in one snapshot.
pub(crate) struct Upload {
    pub(crate) record: UploadRecord,
    pub(crate) generation: i64,
    pub(crate) headers: Vec<u8>,
    pub(crate) declaration: Option<Declaration>,
    /// Content of a deduplicated upload, whose parts are `parts`.
    pub(crate) content: Option<ContentId>,
    pub(crate) parts: Vec<StoredPart>,
}

/// Values that publishing writes.
pub(crate) struct Prepared {
    pub(crate) path: UploadPath,
    pub(crate) condition: WriteCondition,
    pub(crate) generation: i64,
    pub(crate) headers: Vec<u8>,
    pub(crate) initiator: String,
    pub(crate) size: u64,
    pub(crate) etag: ETag,
    pub(crate) checksum: Option<ObjectChecksum>,
    pub(crate) runs: Vec<Run>,
    /// Content that is published by reference, instead of a new manifest.
    pub(crate) content: Option<ContentId>,
    /// Sequence number of the object that the permit was decided on; set by the verb.
    pub(crate) decided_on: Option<i64>,
    /// Cause of the request; set by the verb.
    pub(crate) cause: Cause,
    /// True if parts are stored that are not listed.
    pub(crate) unlisted: bool,
    pub(crate) list_digest: [u8; 32],
    /// Required digests of the whole file; compared before publishing.
    pub(crate) wanted: WholeDigests,
    /// Known digests of the whole file.
    pub(crate) known: WholeDigests,
    /// The listed parts: number, blob, bytes. Empty when there is nothing to compare.
    pub(crate) pieces: Vec<(PartNumber, BlobId, u64)>,
}

/// Validates the request against the stored parts, and computes all values to be written.
pub(crate) fn prepare(
    path: &UploadPath,
    request: &CompleteUpload,
    upload: Upload,
    list_digest: [u8; 32],
    part_bytes_min: u64,
) -> Result<Prepared> {
    let declared = upload.record.checksum;
    if request.parts.is_empty() {
        return Err(Error::NoParts);
    }
    if request.parts.windows(2).any(|pair| pair[0].number >= pair[1].number) {
        return Err(Error::InvalidPartOrder);
    }
    let expected = declared.map_or(ChecksumType::FullObject, |(_, kind)| kind);
    if let Some(actual) = request.checksum_type.filter(|actual| *actual != expected) {
        return Err(Error::ChecksumTypeMismatch { expected, actual });
    }
    // A deduplicated upload publishes its content only if all of its parts are listed.
    let layout = upload.declaration.and_then(|declaration| declaration.layout);
    let layout = layout.filter(|_| upload.content.is_none());
    let parts = match_parts(&request.parts, &upload.parts, declared)
        .map_err(|error| with_missing(error, &path.bucket, request, &upload, layout))?;
    if let Some(layout) = layout.filter(|layout| parts.len() < usize::from(layout.count())) {
        return Err(Error::Incomplete(missing(&path.bucket, request, &upload, layout)));
    }
    if upload.content.is_some() {
        require_all(&parts, &upload.parts)?;
    }
    let known = known_digests(&upload);
    let wanted = upload.declaration.unwrap_or_default().digests;
    let wanted = wanted.and(request.digests).ok_or(Error::DigestsDiffer)?;
    let least = if upload.content.is_some() { 0 } else { part_bytes_min };
    let size = check_sizes(&parts, least, request.object_size)?;
    let checksum = object_checksum(&parts, declared)?;
    if let Some(wanted) = &request.checksum {
        check_checksum(wanted, &checksum, &parts, declared)?;
    }
    let mut md5 = Md5::new();
    parts.iter().for_each(|part| md5.update(part.md5));
    let count = u16::try_from(parts.len()).expect("part numbers ascend up to 10,000");
    Ok(Prepared {
        path: path.clone(),
        condition: request.condition.clone(),
        generation: upload.generation,
        headers: upload.headers,
        initiator: upload.record.initiator.id.clone(),
        size,
        etag: match upload.content {
            // The same as for every object of one blob.
            Some(ContentId::Blob(_)) => ETag::plain(parts[0].md5),
            _ => ETag { md5: md5.finalize().into(), parts: Some(count) },
        },
        checksum: Some(checksum),
        runs: build_runs(&parts),
        decided_on: None,
        cause: Cause::default(),
        unlisted: parts.len() < upload.parts.len(),
        list_digest,
        content: upload.content,
        wanted,
        known,
        pieces: match wanted.is_empty() {
            true => Vec::new(),
            false => parts.iter().map(|part| (part.number, part.blob, part.size)).collect(),
        },
    })
}

/// Digest of a request that identifies repetitions: numbers and ETags, in order, and the declared
/// size and digests of the whole object.
pub(crate) fn digest_request(request: &CompleteUpload) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let WholeDigests { md5, sha256 } = &request.digests;
    let size = request.object_size.map(u64::to_be_bytes);
    let checksum = request.checksum.as_ref().map(|checksum| &checksum.value);
    let said: [Option<&[u8]>; 4] = [
        size.as_ref().map(<[u8; 8]>::as_slice),
        md5.as_ref().map(<[u8; 16]>::as_slice),
        sha256.as_ref().map(<[u8; 32]>::as_slice),
        checksum.map(Vec::as_slice),
    ];
    hasher.update((request.parts.len() as u64).to_be_bytes());
    for part in &request.parts {
        hasher.update(part.number.get().to_be_bytes());
        // Each entry has the same length, so that lists are unambiguous.
        let etag = part.etag.map_or(([0; 16], 0), |etag| (etag.md5, etag.parts.unwrap_or(0)));
        hasher.update([u8::from(part.etag.is_some())]);
        hasher.update(etag.0);
        hasher.update(etag.1.to_be_bytes());
    }
    for (which, value) in (0_u8..).zip(said) {
        // Absent values add nothing: most requests are a list and nothing else.
        if let Some(value) = value {
            hasher.update([which, u8::try_from(value.len()).expect("at most a SHA-512")]);
            hasher.update(value);
        }
    }
    hasher.finalize().into()
}

/// An error unless the list is the whole content: it is published whole or not at all.
fn require_all(listed: &[&StoredPart], stored: &[StoredPart]) -> Result<()> {
    let numbers = listed.iter().map(|part| Some(part.number)).chain(std::iter::repeat(None));
    let lacking = stored.iter().zip(numbers).find(|(part, number)| Some(part.number) != *number);
    match lacking {
        None => Ok(()),
        Some((part, _)) => {
            Err(Error::InvalidPart { number: part.number, etag: None, incomplete: None })
        }
    }
}

/// Digests of the whole file that are known without reading it.
fn known_digests(upload: &Upload) -> WholeDigests {
    let Some(content) = upload.content else { return WholeDigests::default() };
    let declared = upload.declaration.unwrap_or_default().digests;
    WholeDigests {
        // The SHA-256 by which the content was found.
        sha256: declared.sha256,
        md5: match content {
            ContentId::Blob(_) => upload.parts.first().map(|part| part.md5),
            ContentId::Manifest(_) => None,
        },
    }
}

/// Adds the missing ranges of a declared file to an error about a part.
fn with_missing(
    error: Error,
    bucket: &Arc<Bucket>,
    request: &CompleteUpload,
    upload: &Upload,
    layout: Option<Layout>,
) -> Error {
    match (error, layout) {
        (Error::InvalidPart { number, etag, .. }, Some(layout)) => {
            let incomplete = Some(missing(bucket, request, upload, layout));
            Error::InvalidPart { number, etag, incomplete }
        }
        (error, _) => error,
    }
}

/// Ranges of the declared file that no listed part covers. A part that differs from the list covers
/// nothing.
fn missing(
    bucket: &Arc<Bucket>,
    request: &CompleteUpload,
    upload: &Upload,
    layout: Layout,
) -> Box<Incomplete> {
    let mut stored = upload.parts.iter().peekable();
    let mut present: Vec<&StoredPart> = Vec::new();
    for listed in &request.parts {
        while stored.next_if(|part| part.number < listed.number).is_some() {}
        let part = stored.next_if(|part| part.number == listed.number);
        present.extend(part.filter(|part| listed.etag == Some(ETag::plain(part.md5))));
    }
    let blocks = Blocks {
        bucket: Arc::clone(bucket),
        upload: upload.record.clone(),
        layout: Some(layout),
        received_bytes: upload.parts.iter().map(|part| part.size).sum(),
        missing: Gap::between(present.iter().map(|part| part.number.get()), layout.count()),
        next: None,
    };
    let listed_bytes = present.iter().map(|part| part.size).sum();
    Box::new(Incomplete { listed_bytes, blocks })
}

/// The stored part of each listed one. Both lists ascend, so one pass is enough.
fn match_parts<'a>(
    listed: &[ListedPart],
    stored: &'a [StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<Vec<&'a StoredPart>> {
    let mut stored = stored.iter().peekable();
    let mut parts = Vec::with_capacity(stored.len().min(listed.len()));
    for listed in listed {
        let invalid = || Error::InvalidPart {
            number: listed.number,
            etag: listed.etag.map(|etag| etag.to_string()),
            incomplete: None,
        };
        while stored.next_if(|part| part.number < listed.number).is_some() {}
        let part = stored.next_if(|part| part.number == listed.number).ok_or_else(invalid)?;
        if listed.etag != Some(ETag::plain(part.md5)) {
            return Err(invalid());
        }
        if listed.checksums.iter().any(|checksum| !part.has(checksum)) {
            return Err(invalid());
        }
        if let Some((algorithm, kind)) = declared {
            let named = listed.checksums.iter().any(|checksum| checksum.algorithm == algorithm);
            if kind == ChecksumType::Composite && !named {
                return Err(Error::ChecksumMissing { number: listed.number, algorithm });
            }
            // The part was sent without it, so the object could not have it either.
            if part.checksum_in(algorithm).is_none() {
                return Err(invalid());
            }
        }
        parts.push(part);
    }
    Ok(parts)
}

impl StoredPart {
    pub(crate) fn checksum_in(&self, algorithm: ChecksumAlgorithm) -> Option<Checksum> {
        match &self.checksum {
            Some(checksum) if checksum.algorithm == algorithm => Some(checksum.clone()),
            _ if algorithm == ChecksumAlgorithm::Crc64nvme => {
                Some(Checksum { algorithm, value: self.crc64nvme.to_be_bytes().to_vec() })
            }
            _ if algorithm == ChecksumAlgorithm::Md5 => {
                Some(Checksum { algorithm, value: self.md5.to_vec() })
            }
            _ => None,
        }
    }

    fn has(&self, checksum: &Checksum) -> bool {
        self.checksum_in(checksum.algorithm).as_ref() == Some(checksum)
    }
}

/// The object's size, if the sizes are valid.
fn check_sizes(
    parts: &[&StoredPart],
    part_bytes_min: u64,
    object_size: Option<u64>,
) -> Result<u64> {
    let (_, all_but_last) = parts.split_last().expect("a list without parts was refused");
    if let Some(part) = all_but_last.iter().find(|part| part.size < part_bytes_min) {
        return Err(Error::EntityTooSmall {
            number: part.number,
            size: part.size,
            min: part_bytes_min,
            etag: ETag::plain(part.md5),
        });
    }
    let actual: u64 = parts.iter().map(|part| part.size).sum();
    if actual > OBJECT_BYTES_MAX {
        return Err(Error::EntityTooLarge);
    }
    match object_size {
        Some(expected) if expected != actual => Err(Error::ObjectSizeMismatch { expected, actual }),
        _ => Ok(actual),
    }
}

/// Checksum that the client declared, else the CRC64NVME of the object.
fn object_checksum(
    parts: &[&StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<ObjectChecksum> {
    let (algorithm, kind) =
        declared.unwrap_or((ChecksumAlgorithm::Crc64nvme, ChecksumType::FullObject));
    match kind {
        ChecksumType::FullObject => {
            let combined = combine(parts, algorithm)
                .ok_or_else(|| damaged(format!("an upload with a FULL_OBJECT {algorithm:?}")))?;
            Ok(ObjectChecksum::full(combined))
        }
        ChecksumType::Composite => {
            let values: Vec<Checksum> =
                parts.iter().filter_map(|part| part.checksum_in(algorithm)).collect();
            let values = values.iter().map(|checksum| checksum.value.as_slice());
            Ok(ObjectChecksum {
                checksum: composite(algorithm, values),
                kind,
                parts: u16::try_from(parts.len()).ok(),
            })
        }
    }
}

/// The CRC over all bytes, if the algorithm is a CRC and every part has it.
fn combine(parts: &[&StoredPart], algorithm: ChecksumAlgorithm) -> Option<Checksum> {
    let mut combiner = Combiner::new(algorithm)?;
    for part in parts {
        combiner.append(&part.checksum_in(algorithm)?.value, part.size);
    }
    Some(combiner.finish())
}

/// Checks the checksum that the request names for the whole object. Without a declared algorithm,
/// any CRC that all parts have can be compared.
fn check_checksum(
    wanted: &Checksum,
    checksum: &ObjectChecksum,
    parts: &[&StoredPart],
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
) -> Result<()> {
    let is_equal = *wanted == checksum.checksum
        || declared.is_none() && combine(parts, wanted.algorithm).as_ref() == Some(wanted);
    match is_equal {
        true => Ok(()),
        false => Err(Error::ChecksumMismatch { algorithm: wanted.algorithm }),
    }
}

fn build_runs(parts: &[&StoredPart]) -> Vec<Run> {
    let mut offset = 0;
    let mut runs = Vec::with_capacity(parts.len().div_ceil(RUN_PARTS_MAX));
    for run in parts.chunks(RUN_PARTS_MAX) {
        runs.push(Run {
            first_offset: offset,
            first_number: run[0].number,
            numbers: run.iter().flat_map(|part| part.number.get().to_be_bytes()).collect(),
        });
        offset += run.iter().map(|part| part.size).sum::<u64>();
    }
    runs
}
