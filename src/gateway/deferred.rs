//! Slow responses: the head is held back for `verify-hold-ms`, then the client is kept alive.
//!
//! **Invariants**
//! - Work that ends within the hold gives an ordinary response with its own status.
//! - Work ends when the client disconnects, except for a transaction that has begun.
//! - After the hold the response is 200, an XML declaration, a space per hold, and then the
//!   document. An error becomes the document, as on AWS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::task::{JoinError, JoinHandle};

use super::error_document;
use crate::access_log::{self, DeferredError};
use crate::config::Config;
use crate::wire::response::BodyError;
use crate::wire::xml::DECLARATION;
use crate::wire::{Body, Error, ErrorCode, Response, Result};

/// The request that a deferred response belongs to.
pub(super) struct Request<'a> {
    pub(super) config: &'a Arc<Config>,
    /// Path of the request target.
    pub(super) resource: &'a str,
    pub(super) request_id: &'a str,
    /// Receives the code of an error that is sent after the head.
    pub(super) error: DeferredError,
}

/// The final response of deferred work that ends within the hold, otherwise a response whose body
/// keeps the client alive. Any other response is returned as it is.
///
/// # Errors
/// Errors of `outcome` and of the work.
pub(super) async fn resolve(outcome: Result<Response>, request: Request<'_>) -> Result<Response> {
    let work = match outcome {
        Ok(Response { body: Body::Deferred(work), .. }) => work,
        outcome => return outcome,
    };
    let hold = Duration::from_millis(request.config.verify_hold_ms);
    let mut work = Task(tokio::spawn(work));
    if let Ok(done) = tokio::time::timeout(hold, &mut work.0).await {
        return result_of(done);
    }
    let pending = PendingDocument {
        config: Arc::clone(request.config),
        resource: request.resource.to_owned(),
        request_id: request.request_id.to_owned(),
        error: request.error,
        work,
        interval: hold,
        is_declared: false,
    };
    let frames = stream::unfold(Some(pending), |pending| async move {
        let (bytes, rest) = pending?.next().await;
        Some((Ok::<_, BodyError>(Frame::data(bytes)), rest))
    });
    let body = Body::Stream(StreamBody::new(frames).boxed());
    Ok(Response::ok().header("content-type", "application/xml").with_body(body))
}

/// Task of the work. Its drop ends the task at the next point where it waits.
struct Task(JoinHandle<Result<Response>>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn result_of(done: std::result::Result<Result<Response>, JoinError>) -> Result<Response> {
    done.unwrap_or_else(|panic| Err(Error::new(ErrorCode::InternalError).caused_by(panic)))
}

/// Document of a response whose work is still running.
struct PendingDocument {
    config: Arc<Config>,
    resource: String,
    request_id: String,
    error: DeferredError,
    work: Task,
    /// Time between two spaces.
    interval: Duration,
    is_declared: bool,
}

impl PendingDocument {
    /// The next bytes of the body, and what is left of it.
    async fn next(mut self) -> (Bytes, Option<Self>) {
        if !self.is_declared {
            self.is_declared = true;
            return (Bytes::from_static(DECLARATION.as_bytes()), Some(self));
        }
        match tokio::time::timeout(self.interval, &mut self.work.0).await {
            Ok(done) => (self.document(result_of(done)), None),
            Err(_) => (Bytes::from_static(b" "), Some(self)),
        }
    }

    /// The document without its declaration, which was already sent.
    fn document(&self, outcome: Result<Response>) -> Bytes {
        let response = outcome.unwrap_or_else(|error| {
            let (request_id, code) = (&self.request_id, error.code.as_str());
            let source = error.source.as_ref().map(ToString::to_string).unwrap_or_default();
            self.error.set(error.code);
            let message = access_log::cut(&error.message);
            tracing::warn!(request_id, code, source, "an error in a 200: {message}");
            error_document::response(error, &self.config.region, &self.resource, request_id)
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
