//! ProveUpload: takes the answer to a challenge. A right one is as good as the bytes.
//!
//! **Invariant:** whether the content is alive, and still in an object of the bucket, is seen by
//! the transaction that takes the reference; a proof of what has gone gives nothing.

use std::time::Instant;

use crate::ops::uploads::{challenge, instant, missing_parts};
use crate::request::Call;
use crate::store::{Candidate, Filled, Store};
use crate::transfer::document;
use crate::types::PartNumber;
use crate::wire::{Error, ErrorCode, Response, Result};

/// Takes a proof (`docs/schemas/proof.json`) and answers as GetUploadBlocks does: nothing is
/// missing.
///
/// # Errors
/// NoSuchUpload; AccessDenied for a wrong answer, one that is late, one to another challenge, one
/// that is not signed in its header, and when what was proven has gone; InvalidRequest for another
/// document, and for an upload with parts.
pub async fn handle(call: Call) -> Result<Response> {
    let id = call.upload_id()?;
    instant::require_reader(&call)?;
    let (document, call) = document::receive(call).await?;
    let proof = challenge::proof(&document)?;
    let (store, permit, key) = (&call.context.store, call.permit(), call.key());
    // Whoever asks for the wrong key has not answered yet.
    store.upload(permit, key, id)?;
    let user = &permit.user().id;
    let found = call.context.limits.challenges.answer(user, id, &proof, Instant::now())?;
    let proven = found.into_iter().map(Candidate::proven).collect();
    match store.fill_upload(permit, key, id, proven).await? {
        Filled::Instant => {}
        Filled::HasParts => {
            let message = "The upload has parts already: send the rest.";
            return Err(Error::because(ErrorCode::InvalidRequest, message));
        }
        Filled::Gone => {
            let message = "What was proven is not there any more. Send the parts.";
            return Err(Error::because(ErrorCode::AccessDenied, message));
        }
    }
    let (permit, key) = (permit.clone(), key.clone());
    let look = move |store: &Store| store.missing_blocks(&permit, &key, id, PartNumber::FIRST, 1);
    let blocks = call.context.blocking(look).await?;
    let mut response = Response::json(missing_parts::document(&blocks));
    instant::announce(&mut response);
    Ok(response)
}
