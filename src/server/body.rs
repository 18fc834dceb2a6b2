//! Bodies between hyper and the gateway: timeouts, errors, and the phase of the connection.
//!
//! **Invariants**
//! - A request body fails only with an [`io::Error`]: `TimedOut` when no byte arrived for the stall
//!   time, `InvalidData` when its chunks are malformed, `UnexpectedEof` when the client
//!   disconnected.
//! - A body that comes more slowly than the least rate is `TimedOut` too ([`LeastRate`]).
//! - The stall time of a request body runs only while the handler polls it, so a slow disk of the
//!   server is not taken for a slow client.
//! - A response without an end, an event stream, ends when the server starts to drain.

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

use super::least_rate::LeastRate;
use super::socket::{Phase, SocketTimeouts, Timer};
use crate::wire::response::{BodyError, Stream};

/// Body of a request.
pub(super) struct RequestBody {
    incoming: Incoming,
    stall: Duration,
    rate: LeastRate,
    timer: Timer,
    phase: Phase,
    ended: bool,
}

impl RequestBody {
    /// Wraps hyper's body.
    pub(super) fn new(incoming: Incoming, timeouts: SocketTimeouts, phase: Phase) -> Self {
        let SocketTimeouts { stall, rate_window, .. } = timeouts;
        let (rate, timer) = (LeastRate::new(rate_window), Timer::default());
        Self { incoming, stall, rate, timer, phase, ended: false }
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if !self.ended && !self.incoming.is_end_stream() {
            self.phase.unread();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        this.phase.resumed();
        match Pin::new(&mut this.incoming).poll_frame(cx) {
            Poll::Ready(frame) => {
                this.timer.disarm();
                this.ended = frame.is_none();
                let bytes = frame.as_ref().and_then(|frame| frame.as_ref().ok()?.data_ref());
                let bytes = bytes.map_or(0, |bytes| bytes.len() as u64);
                if !this.rate.received(bytes, Instant::now) && !this.ended {
                    return Poll::Ready(Some(Err(timed_out(
                        "the client sends the body too slowly",
                    ))));
                }
                Poll::Ready(frame.map(|frame| frame.map_err(|error| io_error(error).into())))
            }
            Poll::Pending => {
                this.timer.arm(Instant::now() + this.stall);
                this.rate.wait(Instant::now);
                if !this.timer.has_expired(cx) {
                    return Poll::Pending;
                }
                Poll::Ready(Some(Err(timed_out("the client stopped sending the body"))))
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

fn timed_out(what: &'static str) -> BodyError {
    io::Error::new(io::ErrorKind::TimedOut, what).into()
}

/// hyper's error as an [`io::Error`], which other layers may name.
fn io_error(error: hyper::Error) -> io::Error {
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

/// Future that ends a body without an end of its own.
pub(super) type End = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Body of a response. Dropping it ends the request.
pub(super) struct ResponseBody {
    body: Stream,
    end: Option<End>,
    phase: Phase,
}

impl ResponseBody {
    /// Wraps the gateway's body. `end` ends it early.
    pub(super) fn new(body: Stream, end: Option<End>, phase: Phase) -> Self {
        phase.resumed();
        Self { body, end, phase }
    }
}

/// True for the headers of a response without an end: an event stream.
pub(super) fn is_endless(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE);
    media_type.is_some_and(|media_type| media_type.as_bytes().starts_with(b"text/event-stream"))
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if this.end.as_mut().is_some_and(|end| end.as_mut().poll(cx).is_ready()) {
            // Dropping the body releases its resources now, not when the connection closes.
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

impl Drop for ResponseBody {
    fn drop(&mut self) {
        self.phase.between();
    }
}
