//! Parts of an upload filled by reference: those whose bytes are stored, and readable, already.
//!
//! **Invariant:** only missing parts are filled, and only while the upload takes parts.

use crate::access::UploadHandle;
use crate::access::WriteObject;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use super::instant;
use crate::request::Call;
use crate::store::{
    Blocking, Blocks, Candidate, ClaimedPart, INSTANT_PARTS_MAX, InstantPart, OpenUpload,
    SHARED_BYTES_MIN, Wanted,
};
use crate::types::{PUT_BYTES_MAX, PartNumber};
use crate::wire::{Error, Result};

/// Bytes of a single blob that can be shared.
const SIZES: RangeInclusive<u64> = SHARED_BYTES_MIN..=PUT_BYTES_MAX;

/// Stores those parts by reference that are missing, and whose bytes are there in a single blob
/// that the request may read. Tells whether there were any.
///
/// # Errors
/// Those of [`instant::prefixes`]; NoSuchUpload.
#[expect(clippy::disallowed_methods, reason = "the closure runs on the blocking pool")]
pub async fn fill(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    open: &OpenUpload,
    claims: &[ClaimedPart],
    missing: &Blocks,
) -> Result<bool> {
    let prefixes = instant::prefixes(&call.head)?;
    if !instant::is_reader(call) || open.upload.paused.is_some() {
        return Ok(false);
    }
    let algorithm = open.upload.checksum.map(|(algorithm, _)| algorithm);
    let wanted = |claim: &ClaimedPart| {
        let declared = missing.layout.and_then(|layout| layout.bytes_of(claim.number));
        let size = claim.size.or(declared).filter(|size| SIZES.contains(size))?;
        // One that does not fit would have the whole step refused.
        let fits = missing.layout.is_none() || declared == Some(size);
        let sha256 = claim.sha256.filter(|_| fits)?;
        Some((claim.number, Wanted { sha256, size, algorithm, prefixes: prefixes.clone() }))
    };
    let lacking = claims.iter().filter(|claim| is_missing(missing, claim.number));
    let lacking: Vec<(PartNumber, Wanted)> = lacking.filter_map(wanted).collect();
    if lacking.is_empty() {
        return Ok(false);
    }
    let permit = upload.permit().clone();
    let store = call.context.store.clone();
    let find = Blocking::cancellable(move |cancellation| {
        // Each content is searched once, however often it is claimed: the time of repeated searches
        // would reveal what the answer does not.
        let mut known: HashMap<([u8; 32], u64), Vec<Candidate>> = HashMap::new();
        let mut found = Vec::with_capacity(lacking.len());
        for (number, wanted) in lacking {
            cancellation.check()?;
            let candidates = match known.entry((wanted.sha256, wanted.size)) {
                Entry::Occupied(known) => known.get().clone(),
                Entry::Vacant(new) => new.insert(store.find_blobs(&permit, wanted).run()?).clone(),
            };
            found.push((number, candidates));
        }
        Ok(found)
    });
    let found = call.context.run(find).await?;
    let claimed: BTreeMap<PartNumber, &ClaimedPart> =
        claims.iter().map(|claim| (claim.number, claim)).collect();
    let part = |(number, candidates)| {
        let mut readables = instant::readable(&call.caller, candidates);
        let claim = claimed.get(&number)?;
        readables.retain(|readable| {
            readable.digests().is_some_and(|digests| {
                claim.md5.is_none_or(|md5| md5 == digests.md5)
                    && claim.crc64nvme.is_none_or(|crc| crc == digests.crc64nvme)
            })
        });
        (!readables.is_empty()).then_some(InstantPart { number, readables, checksum: None })
    };
    take(call, upload, found.into_iter().filter_map(part).collect()).await
}

/// Stores the parts in bounded steps of the writer.
async fn take(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    mut parts: Vec<InstantPart>,
) -> Result<bool> {
    let mut is_any = false;
    while !parts.is_empty() {
        let rest = parts.split_off(parts.len().min(INSTANT_PARTS_MAX));
        let step = std::mem::replace(&mut parts, rest);
        let store = &call.context.store;
        let taken = store.put_parts_instant(upload, step).await;
        is_any |= taken.map_err(Error::from)?.iter().any(Option::is_some);
    }
    Ok(is_any)
}

fn is_missing(blocks: &Blocks, number: PartNumber) -> bool {
    blocks.missing.iter().any(|gap| (gap.first..=gap.last).contains(&number))
}
