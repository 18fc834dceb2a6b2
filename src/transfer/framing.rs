//! The content of a body, framing taken away.
//!
//! Arriving bytes are copied at once into one buffer: kept as slices, a body that comes in
//! single bytes would take forty times its length, and hold on to the buffers that the socket was
//! read into.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::auth::chunked::{ChunkedDecoder, Trailers};
use crate::wire::response::{BodyError, Stream};
use crate::wire::{Error, ErrorCode, Result, form};

/// Framing of a body: how its end is known.
pub enum Framing {
    /// A known number of bytes.
    Raw {
        /// Bytes.
        left: u64,
    },
    /// An unknown number of bytes, limited.
    Unmeasured {
        /// Bytes.
        left: u64,
    },
    /// Chunks of aws-chunked.
    Chunked(Box<ChunkedDecoder>),
    /// The file of a form, up to the delimiter, limited.
    Form {
        /// Finds it.
        file: Box<form::FileReader>,
        /// Bytes.
        left: u64,
    },
}

/// The content of a body.
pub struct Source {
    stream: Stream,
    framing: Framing,
    /// Bytes that arrived and did not fit: at most those of one read of the socket.
    rest: VecDeque<Bytes>,
}

impl Source {
    /// Nothing read yet.
    pub fn new(stream: Stream, framing: Framing) -> Self {
        Self { stream, framing, rest: VecDeque::new() }
    }

    /// Appends bytes of the body until `content` has `bytes`; `false` when the body ended before.
    ///
    /// # Errors
    /// IncompleteBody, EntityTooLarge, RequestTimeout, and those of aws-chunked and of forms.
    pub async fn fill(&mut self, content: &mut BytesMut, bytes: usize) -> Result<bool> {
        while content.len() < bytes {
            let Some(piece) = self.rest.front_mut() else {
                if !self.pull().await? {
                    return Ok(false);
                }
                continue;
            };
            let count = piece.len().min(bytes - content.len());
            content.extend_from_slice(&piece[..count]);
            piece.advance(count);
            if piece.is_empty() {
                self.rest.pop_front();
            }
        }
        Ok(true)
    }

    /// Takes the next frame; `false` at the end of the body.
    async fn pull(&mut self) -> Result<bool> {
        let Some(data) = next_data(&mut self.stream).await? else { return Ok(false) };
        match &mut self.framing {
            Framing::Chunked(decoder) => {
                let mut pieces = Vec::new();
                decoder.push(data, &mut pieces)?;
                // Nothing is left of the rest before, and its room goes with it.
                self.rest = pieces.into();
                return Ok(true);
            }
            Framing::Raw { left } => {
                *left = left.checked_sub(data.len() as u64).ok_or(ErrorCode::IncompleteBody)?;
            }
            Framing::Unmeasured { left } => {
                *left = left.checked_sub(data.len() as u64).ok_or(ErrorCode::EntityTooLarge)?;
            }
            Framing::Form { file, left } => {
                let content = file.push(data)?;
                *left = left.checked_sub(content.len() as u64).ok_or(ErrorCode::EntityTooLarge)?;
                self.rest.push_back(content);
                return Ok(true);
            }
        }
        self.rest.push_back(data);
        Ok(true)
    }

    /// Checks that the body is whole; gives the trailers of aws-chunked.
    ///
    /// # Errors
    /// IncompleteBody, and those of the trailers.
    pub fn finish(&mut self) -> Result<Option<Trailers>> {
        match std::mem::replace(&mut self.framing, Framing::Raw { left: 0 }) {
            Framing::Raw { left: 0 } | Framing::Unmeasured { .. } => Ok(None),
            Framing::Raw { .. } => Err(ErrorCode::IncompleteBody.into()),
            Framing::Chunked(decoder) => decoder.finish().map(Some),
            Framing::Form { file, .. } => file.finish().map(|()| None),
        }
    }
}

/// The next data of a stream. HTTP trailers are passed over: S3's trailers are in the body.
///
/// # Errors
/// IncompleteBody, RequestTimeout.
pub async fn next_data(stream: &mut Stream) -> Result<Option<Bytes>> {
    loop {
        match stream.frame().await {
            None => return Ok(None),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
            Some(Err(source)) => return Err(body_error(source)),
        }
    }
}

/// A body that breaks off is IncompleteBody; one that stalls is RequestTimeout.
fn body_error(source: BodyError) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
            return Error::new(ErrorCode::RequestTimeout).caused_by(source);
        }
        cause = error.source();
    }
    Error::new(ErrorCode::IncompleteBody).caused_by(source)
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context as TaskContext, Poll};

    use super::*;

    /// A buffer of the socket; counts the live ones.
    struct Buffer(Arc<AtomicUsize>);

    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            b"x"
        }
    }

    impl Drop for Buffer {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A body that comes in single bytes.
    struct Drip {
        left: usize,
        alive: Arc<AtomicUsize>,
    }

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut TaskContext<'_>,
        ) -> Poll<Option<std::result::Result<http_body::Frame<Bytes>, BodyError>>> {
            let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
            self.left = left;
            self.alive.fetch_add(1, Ordering::Relaxed);
            let bytes = Bytes::from_owner(Buffer(Arc::clone(&self.alive)));
            Poll::Ready(Some(Ok(http_body::Frame::data(bytes))))
        }
    }

    #[tokio::test]
    async fn what_is_gathered_takes_no_more_than_its_bytes() {
        let alive = Arc::new(AtomicUsize::new(0));
        let stream = Drip { left: 5_000, alive: Arc::clone(&alive) }.boxed();
        let mut source = Source::new(stream, Framing::Raw { left: 5_000 });
        let mut content = BytesMut::new();
        let more = source.fill(&mut content, 4_001).await.expect("no more than was announced");
        assert_eq!((content.len(), more), (4_001, true));
        assert!(content.capacity() < 3 * 4_001, "{}", content.capacity());
        assert_eq!(alive.load(Ordering::Relaxed), 0, "buffers are held");
    }
}
