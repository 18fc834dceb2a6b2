//! GetUploadBlocks: what of an open upload is missing; the basis of every resume that knows more
//! than parts.

use crate::access::ReadUpload;
use crate::ops::uploads::{event_stream, missing_parts};
use crate::request::Call;
use crate::store::Store;
use crate::types::{PART_NUMBER_MAX, PartNumber, decimal};
use crate::wire::{Error, Head, Response, Result};

/// Ranges on one page, when the client does not say.
const BLOCKS_MAX: usize = 1000;

/// Answers with one page as JSON (`docs/schemas/blocks.json`), or with a stream of events if the
/// client accepts `text/event-stream`.
///
/// # Errors
/// NoSuchUpload; InvalidArgument for bad numbers; SlowDown when too many watch.
pub async fn handle(call: Call) -> Result<Response> {
    let upload = call.upload::<ReadUpload>()?;
    let limit = limit(&call.head)?;
    let from = start(&call.head)?;
    let look = {
        let upload = upload.clone();
        move |store: &Store| store.missing_blocks(&upload, from, limit)
    };
    if call.head.header("accept")?.is_some_and(|types| types.contains(event_stream::MEDIA_TYPE)) {
        let user = upload.permit().user().id.clone();
        let recheck = call.recheck();
        return event_stream::stream(call.context, &user, upload.id(), look, recheck).await;
    }
    let page = call.context.run(look(&call.context.store)).await?;
    Ok(Response::json(missing_parts::document(&page)))
}

fn limit(head: &Head) -> Result<usize> {
    let Some(text) = head.query.non_empty("partita-limit") else { return Ok(BLOCKS_MAX) };
    let limit = decimal::parse(text).filter(|limit| (1..=BLOCKS_MAX).contains(limit));
    limit.ok_or_else(|| {
        let message = format!("partita-limit must be a number from 1 to {BLOCKS_MAX}.");
        Error::argument("partita-limit", text, message)
    })
}

fn start(head: &Head) -> Result<PartNumber> {
    let Some(text) = head.query.non_empty("partita-start-part") else {
        return Ok(PartNumber::FIRST);
    };
    PartNumber::parse(text).ok_or_else(|| {
        let message = format!("partita-start-part must be a number from 1 to {PART_NUMBER_MAX}.");
        Error::argument("partita-start-part", text, message)
    })
}
