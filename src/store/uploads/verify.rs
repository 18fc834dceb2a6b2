//! Verification of the whole file of an upload: reads its parts once and compares their digests.
//!
//! **Invariants**
//! - It runs without the writer and may take long. A part is pinned before its row is read, so its
//!   bytes stay until they were read. A part that was replaced ends it at once.
//! - It ends within one unit when its answer is not awaited any more.
//! - A repetition reads nothing again: blobs are immutable, so a list of blobs has one digest for
//!   ever ([`crate::store::memory::digest_cache`]).

use md5::{Digest as _, Md5};
use sha2::Sha256;

use crate::store::blobs::reader::{READ_BYTES_MAX, Wait};
use crate::store::contents::reader::open_file;
use crate::store::db::sqlite::blob_row;
use crate::store::engine::Engine;
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Cancellation;
use crate::store::records::contents::ContentId;
use crate::store::records::declared::WholeDigests;
use crate::types::{BlobId, ByteRange, PartNumber, UploadId};

/// Outcome of a comparison.
pub(crate) enum Verified {
    /// The bytes have the declared digests, or none was declared.
    Same,
    /// A part was replaced meanwhile.
    Moved,
    /// The bytes differ.
    Differs(Error),
}

/// Parts of an open upload.
#[derive(Clone, Copy)]
pub(crate) struct Pieces<'a> {
    /// The upload.
    pub(crate) upload: UploadId,
    /// Number, blob and size in bytes of each, in the order of the file.
    pub(crate) list: &'a [(PartNumber, BlobId, u64)],
}

/// Compares the bytes of `pieces` with the `wanted` digests. Those `known` are not computed again.
/// [`Error::Cancelled`] when nobody waits for the answer any more.
pub(crate) fn verify(
    engine: &Engine,
    pieces: Pieces<'_>,
    wanted: &WholeDigests,
    known: WholeDigests,
    cancellation: &Cancellation,
) -> Result<Verified> {
    if wanted.is_empty() {
        return Ok(Verified::Same);
    }
    let mut list = Sha256::new();
    pieces.list.iter().for_each(|(_, blob, _)| list.update(blob.as_bytes()));
    let list = list.finalize().into();
    let remembered = engine.verified.get(&list);
    let known = known.and(remembered).ok_or_else(|| damaged("two digests of the same blobs"))?;
    if let Some(verified) = compare(wanted, &known) {
        return Ok(verified);
    }
    let mut md5 = wanted.md5.filter(|_| known.md5.is_none()).map(|_| Md5::new());
    let mut sha256 = wanted.sha256.filter(|_| known.sha256.is_none()).map(|_| Sha256::new());
    for piece in pieces.list {
        let is_same = read(engine, pieces.upload, *piece, |bytes| {
            cancellation.check()?;
            if let Some(md5) = &mut md5 {
                md5.update(bytes);
            }
            if let Some(sha256) = &mut sha256 {
                sha256.update(bytes);
            }
            Ok(())
        })?;
        if !is_same {
            return Ok(Verified::Moved);
        }
    }
    let computed = WholeDigests {
        md5: md5.map(|md5| md5.finalize().into()).or(known.md5),
        sha256: sha256.map(|sha256| sha256.finalize().into()).or(known.sha256),
    };
    engine.verified.put(list, computed);
    compare(wanted, &computed).ok_or_else(|| damaged("a digest that was not computed"))
}

/// Compares digests; `None` when a wanted one is unknown.
fn compare(wanted: &WholeDigests, known: &WholeDigests) -> Option<Verified> {
    let differs = |algorithm, expected: &[u8], computed: &[u8]| {
        Verified::Differs(Error::WholeMismatch {
            algorithm,
            expected: hex::encode(expected),
            computed: hex::encode(computed),
        })
    };
    if let Some(wanted) = wanted.sha256 {
        let known = known.sha256?;
        if wanted != known {
            return Some(differs("SHA-256", &wanted, &known));
        }
    }
    if let Some(wanted) = wanted.md5 {
        let known = known.md5?;
        if wanted != known {
            return Some(differs("MD5", &wanted, &known));
        }
    }
    Some(Verified::Same)
}

/// Passes the bytes of one part to `take`; false when the part was replaced.
fn read(
    engine: &Engine,
    upload: UploadId,
    (number, blob, size): (PartNumber, BlobId, u64),
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<bool> {
    let _pin = engine.pins.pin(ContentId::Blob(blob));
    let found = blob_row::load_part(&engine.db, upload, number, blob)?;
    match found {
        None => return Ok(false),
        Some((_, Some(bytes))) => take(&bytes)?,
        Some((stored, None)) => {
            let mut file = open_file(engine, &stored, Wait::Disk)?;
            let unit = (engine.options.read_unit_bytes as u64).clamp(1, READ_BYTES_MAX);
            let mut first = 0;
            while first < size {
                engine.alive()?;
                let last = (first + unit).min(size) - 1;
                take(&file.read(ByteRange { first, last }, Wait::Disk)?)?;
                first = last + 1;
            }
        }
    }
    Ok(true)
}
