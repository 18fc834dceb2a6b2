//! Bodies between hyper and the gateway.
//!
//! **Invariants**
//! - A request's body fails with an [`io::Error`] and nothing else: `TimedOut` when no byte came
//!   for the stall time while one was wanted, `InvalidData` when its chunks are malformed,
//!   `UnexpectedEof` when the client hung up.
//! - An answer without an end of its own, an event stream, ends when the server begins to drain.
//! - The clock of a request's body runs only while the handler waits for it, so a slow disk of ours
//!   is never taken for a slow client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::time::Instant;

use super::socket::{Phase, Timer};
use crate::wire::response::{BodyError, Stream};

/// The body of a request under way.
pub(super) struct Receiving {
    incoming: Incoming,
    stall: Duration,
    timer: Timer,
    phase: Phase,
    ended: bool,
}

impl Receiving {
    /// Around hyper's body; `stall` is the longest time without a byte.
    pub(super) fn new(incoming: Incoming, stall: Duration, phase: Phase) -> Self {
        Self { incoming, stall, timer: Timer::default(), phase, ended: false }
    }
}

impl Drop for Receiving {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.phase.unread();
        }
    }
}

impl Body for Receiving {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.phase.goes_on();
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.timer.disarm();
                this.ended = frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(|error| cause(error).into())))
            }
            Poll::Pending => {
                this.timer.arm(Instant::now() + this.stall);
                if !this.timer.ended(cx) {
                    return Poll::Pending;
                }
                let error = io::Error::new(io::ErrorKind::TimedOut, "the body does not arrive");
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// hyper's error in terms that layers below may know.
fn cause(error: hyper::Error) -> io::Error {
    let mut source = std::error::Error::source(&error);
    let mut kind = io::ErrorKind::UnexpectedEof;
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            kind = match inner.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                    io::ErrorKind::InvalidData
                }
                io::ErrorKind::TimedOut => io::ErrorKind::TimedOut,
                _ => io::ErrorKind::UnexpectedEof,
            };
        }
        source = inner.source();
    }
    io::Error::new(kind, error)
}

/// When a body without an end is to end.
pub(super) type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The body of an answer under way; its end is the end of the request.
pub(super) struct Answering {
    body: Stream,
    end: Option<End>,
    phase: Phase,
}

impl Answering {
    /// Around the gateway's body.
    pub(super) fn new(body: Stream, end: Option<End>, phase: Phase) -> Self {
        phase.goes_on();
        Self { body, end, phase }
    }
}

/// Whether an answer has no end of its own.
pub(super) fn is_endless(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE);
    media_type.is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/event-stream"))
}

impl Body for Answering {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            // What is behind the body is told at once, not when the connection is gone.
            this.end = None;
            this.body = Empty::new().map_err(|never| match never {}).boxed();
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.phase.between();
    }
}
