//! ProveUpload: takes the answer to a challenge. A right one is as good as the bytes.
//!
//! **Invariant:** whether the content is alive, and still in an object of the bucket, is seen by
//! the transaction that takes the reference; a proof of what has gone gives nothing.

use std::time::Instant;

use crate::access::WriteObject;
use crate::ops::uploads::{challenge, instant, missing_parts};
use crate::request::Call;
use crate::store::Filled;
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
    let upload = call.upload::<WriteObject>()?;
    instant::require_reader(&call)?;
    let (document, call) = document::receive(call).await?;
    let proof = challenge::proof(&document)?;
    let store = &call.context.store;
    // A request for another key does not use up the challenge.
    store.upload(&upload).await?;
    let user = &upload.permit().user().id;
    let challenges = &call.context.limits.challenges;
    let proven = challenges.answer(user, upload.id(), &proof, Instant::now())?;
    match store.fill_upload(&upload, proven).await? {
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
    let missing = store.missing_blocks(&upload, PartNumber::FIRST, 1);
    let blocks = call.context.run(missing).await?;
    let mut response = Response::json(missing_parts::document(&blocks));
    instant::announce(&mut response);
    Ok(response)
}
