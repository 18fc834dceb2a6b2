//! Answers that take long: their head is held back for a while, then the client is kept alive.
//!
//! **Invariants**
//! - Work that ends within the hold gives an ordinary answer, with its true status.
//! - Work that has begun runs to its end, whether somebody waits or not.
//! - After the hold the answer is 200, an XML declaration, white space from time to time, and then
//!   the document; an error is the document then, as AWS has it. So it is told exactly once.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Sleep};

use super::Gateway;
use crate::access_log::Late;
use crate::wire::response::BodyError;
use crate::wire::xml::DECLARATION;
use crate::wire::{Body, Error, ErrorCode, Response, Result};

/// The answer of late work, or one that keeps the client alive until there is one.
pub(super) async fn settle(
    gateway: &Gateway,
    outcome: Result<Response>,
    resource: &str,
    request_id: &str,
    late: Late,
) -> Result<Response> {
    let work = match outcome {
        Ok(Response { body: Body::Deferred(work), .. }) => work,
        outcome => return outcome,
    };
    let hold = Duration::from_millis(gateway.context.config.verify_hold_ms);
    let mut work = tokio::spawn(work);
    if let Ok(done) = tokio::time::timeout(hold, &mut work).await {
        return ended(done);
    }
    let waiting = Waiting {
        gateway: gateway.clone(),
        resource: resource.to_owned(),
        request_id: request_id.to_owned(),
        late,
        work: Some(work),
        begun: false,
        every: hold,
        next: Box::pin(tokio::time::sleep(hold)),
    };
    let body = Body::Stream(waiting.boxed());
    Ok(Response::ok().header("content-type", "application/xml").with_body(body))
}

fn ended(done: std::result::Result<Result<Response>, JoinError>) -> Result<Response> {
    done.unwrap_or_else(|panic| Err(Error::new(ErrorCode::InternalError).caused_by(panic)))
}

/// The body of an answer whose work goes on.
struct Waiting {
    gateway: Gateway,
    resource: String,
    request_id: String,
    late: Late,
    /// `None` when the document was given.
    work: Option<JoinHandle<Result<Response>>>,
    begun: bool,
    every: Duration,
    next: Pin<Box<Sleep>>,
}

impl Waiting {
    /// The document, without the declaration that was sent.
    fn document(&self, outcome: Result<Response>) -> Bytes {
        let response = outcome.unwrap_or_else(|error| {
            let (request_id, code) = (&self.request_id, error.code.as_str());
            let source = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            self.late.error(error.code);
            tracing::warn!(request_id, code, source, "an error in a 200: {}", error.message);
            self.gateway.render(error, &self.resource, &self.request_id)
        });
        match response.body {
            Body::Full(bytes) if bytes.starts_with(DECLARATION.as_bytes()) => {
                bytes.slice(DECLARATION.len()..)
            }
            Body::Full(bytes) => bytes,
            Body::Empty | Body::Stream(_) | Body::Deferred(_) => Bytes::new(),
        }
    }
}

impl http_body::Body for Waiting {
    type Data = Bytes;
    type Error = BodyError;

    fn is_end_stream(&self) -> bool {
        self.work.is_none()
    }

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(work) = &mut this.work else { return Poll::Ready(None) };
        if !this.begun {
            this.begun = true;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(DECLARATION.as_bytes())))));
        }
        if let Poll::Ready(done) = Pin::new(work).poll(cx) {
            this.work = None;
            let document = this.document(ended(done));
            return Poll::Ready(Some(Ok(Frame::data(document))));
        }
        ready!(this.next.as_mut().poll(cx));
        this.next.as_mut().reset(Instant::now() + this.every);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b" ")))))
    }
}
