//! Body wrapper that reports bytes and end to an observer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use super::response::{BodyError, Stream};

/// Receiver of the reports. It is dropped with the body, also when the body did not end.
pub trait Observer: Send + Sync + Unpin + 'static {
    /// `bytes` have passed.
    fn on_data(&mut self, _bytes: u64) {}
    /// No more bytes will pass. May be called more than once.
    fn on_end(&mut self) {}
}

/// Body that reports to `observer`.
pub fn observed(inner: Stream, mut observer: impl Observer) -> Stream {
    if inner.is_end_stream() {
        observer.on_end();
    }
    Observed { inner, observer }.boxed()
}

struct Observed<O> {
    inner: Stream,
    observer: O,
}

impl<O: Observer> Body for Observed<O> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    this.observer.on_data(data.len() as u64);
                }
                // The last frame may be known as such, and then nobody polls again.
                if this.inner.is_end_stream() {
                    this.observer.on_end();
                }
            }
            Poll::Ready(None) => this.observer.on_end(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
