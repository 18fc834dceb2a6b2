//! GetUploadChallenge: asks a client that claims to have a file for a digest of some of its bytes.
//!
//! The expected answer never leaves the server: it is computed from the stored bytes, and kept
//! in memory until it is used or its minute is over.

use std::time::Instant;

use crate::access::{UploadHandle, WriteObject};
use crate::limits::challenges::{CHALLENGE_LIFE, Refusal};
use crate::ops::uploads::{challenge, instant};
use crate::request::Call;
use crate::store::{self, Candidate, ExpectedAnswer, RangesQuestion, Store};
use crate::wire::{Error, ErrorCode, Response, Result, date};

/// Answers with a JSON document (`docs/schemas/challenge.json`).
///
/// # Errors
/// NoSuchUpload; AccessDenied for a request that is not signed in its header, and after too many
/// challenges for the upload; SlowDown after too many of the user's; InvalidRequest when Create
/// offered no challenge, or parts were stored meanwhile.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = call.upload::<WriteObject>()?;
    let id = upload.id();
    instant::require_reader(&call)?;
    call.context.store.upload(&upload).await?;
    let user = upload.permit().user().id.clone();
    let challenges = &call.context.limits.challenges;
    let found = challenges.begin(&user, id, Instant::now())?;
    let asked = ask(&call, &upload, found).await;
    let (question, expected) = match asked {
        Ok(Some(asked)) => asked,
        // It was no fault of the client's.
        Ok(None) => {
            challenges.forgive(&user);
            return Err(Refusal::NoOffer.into());
        }
        Err(error) => {
            challenges.forgive(&user);
            return Err(error);
        }
    };
    let now = call.context.store.now();
    challenges.ask(&user, id, question.nonce, expected, Instant::now())?;
    let expires = date::iso8601(now.plus_millis(CHALLENGE_LIFE.as_millis() as u64));
    let place = (call.bucket().as_str(), call.key().as_str(), id.to_string());
    Ok(Response::json(challenge::document(place, &question, expires)))
}

/// A question and its answer; `None` when nothing of what was found is there any more.
#[expect(clippy::disallowed_methods, reason = "the closure runs on the blocking pool")]
async fn ask(
    call: &Call,
    upload: &UploadHandle<WriteObject>,
    found: Vec<Candidate>,
) -> Result<Option<(RangesQuestion, ExpectedAnswer)>> {
    let Some(size) = found.first().map(Candidate::size) else { return Ok(None) };
    let question = challenge::question(size, &call.context.store.random()?);
    let upload = upload.clone();
    let read = move |store: &Store| -> store::Result<_> {
        if !store.list_parts(&upload, 0, 1).run()?.parts.is_empty() {
            return Ok(Err(()));
        }
        let expected = store.expected_answer(upload.permit(), found, question.clone()).run()?;
        Ok(Ok(expected.map(|expected| (question, expected))))
    };
    call.context.blocking(read).await?.map_err(|()| has_parts())
}

fn has_parts() -> Error {
    let message = "The upload has parts already: send the rest.";
    Error::because(ErrorCode::InvalidRequest, message)
}
