//! CompleteMultipartUpload: prepared on a snapshot, published by the writer in a few rows.
//!
//! 1. A tombstone of the upload answers a repetition: the same list gets the same answer, another
//!    list NoSuchUpload. A repetition never publishes.
//! 2. Prepare: every listed part is compared with the stored one, sizes are summed, ETag and
//!    checksum computed, the runs of the manifest built. The writer is not involved.
//! 3. Verify, if digests of the whole file were declared: all bytes are read once. Other bytes
//!    publish nothing, and the upload stays open.
//! 4. Publish, in one transaction: if the upload's generation is still the prepared one, the
//!    manifest, the object's row and the tombstone are written and the upload's row is deleted.
//!    Otherwise prepare again.
//!
//! The verified bytes are the published ones: a part that was replaced meanwhile has raised the
//! generation.

use super::verify::{Pieces, Verified, verify};
use crate::access::{UploadHandle, WriteObject};
use crate::store::db::sqlite::complete::{self, Snapshot};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result};
use crate::store::memory::pending::Cancellation;
use crate::store::records::contents::ContentId;
use crate::store::records::events::Cause;
use crate::store::records::uploads::{CompleteUpload, Completed};
use crate::store::rules::complete::{digest_request, prepare};

/// Attempts to prepare Complete while parts keep arriving.
const PREPARE_TIMES_MAX: usize = 3;

/// Completes the upload.
pub(super) fn complete(
    engine: &Engine,
    upload: &UploadHandle<WriteObject>,
    request: &CompleteUpload,
    cancellation: &Cancellation,
) -> Result<Completed> {
    let (path, cause) = (upload.path(), Cause::of(upload.permit()));
    let list_digest = digest_request(request);
    for _ in 0..PREPARE_TIMES_MAX {
        let open = match complete::read(&engine.db, &path, &list_digest)? {
            Snapshot::Completed(answer) => return Ok(answer),
            Snapshot::Open(open) => open,
        };
        let part_bytes_min = engine.options.part_bytes_min;
        let mut prepared = prepare(&path, request, *open, list_digest, part_bytes_min)?;
        prepared.decided_on = upload.permit().decided_on();
        prepared.cause = cause.clone();
        let source = match prepared.content {
            Some(ContentId::Manifest(id)) => id,
            _ => path.id,
        };
        let pieces = Pieces { upload: source, list: &prepared.pieces };
        match verify(engine, pieces, &prepared.wanted, prepared.known, cancellation)? {
            Verified::Same => {}
            Verified::Moved => continue,
            Verified::Differs(error) => {
                // Watchers of the upload learn that its bytes are not those that were declared.
                complete::emit_failed(&engine.db, path.id, cause).wait()?;
                return Err(error);
            }
        }
        cancellation.check()?;
        if let Some(completed) = complete::publish(&engine.db, prepared).wait()? {
            return Ok(completed);
        }
    }
    Err(Error::OperationAborted)
}
