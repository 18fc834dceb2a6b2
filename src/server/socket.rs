//! The socket below HTTP and TLS: it bounds how long a peer may dawdle, and closes so that the
//! peer still reads the answer.
//!
//! **Invariants**
//! - From the first byte of a request to the end of its headers no more than `head` passes.
//! - A write without one byte of progress for `stall` fails. (A body that does not arrive is
//!   bounded by [`Receiving`](super::body::Receiving), which knows when a body is wanted.)
//! - When the peer may still be sending, the end of a connection is in two steps: no more is sent,
//!   then what comes is thrown away. Closing at once would reset the connection, and an answer that
//!   was given before the body was read (a 403 to 20 MiB) could be lost.
//! - A handler that waits before it asks for the body is dropped within [`LOOK_MS`] of the peer's
//!   closing. hyper reads nothing then, and so does not see the end, which stands behind the body.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep};

/// Most bytes thrown away after the last answer.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// Longest time spent on throwing bytes away.
const DISCARDING_MS_MAX: u64 = 2_000;
/// How often it is looked after a peer whose request waits unread.
const LOOK_MS: u64 = 500;
/// Bytes thrown away at once.
const DISCARD_UNIT_BYTES: usize = 16 << 10;

/// How long a peer may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// From the first byte of a request to the end of its headers.
    pub head: Duration,
    /// Without one byte of progress in a body or an answer.
    pub stall: Duration,
}

/// Where a connection stands; told to the socket by what runs above it.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    phase: AtomicU8,
    /// The body of the last request was not read to its end.
    unread: AtomicBool,
    /// The handler has neither asked for the body yet nor answered.
    held: AtomicBool,
}

const BUSY: u8 = 0;
const BETWEEN: u8 = 1;
const HEAD: u8 = 2;

impl Phase {
    /// A request is under way (or a handshake, which has its own bound).
    pub(super) fn busy(&self) {
        self.0.unread.store(false, Ordering::Relaxed);
        self.0.held.store(true, Ordering::Relaxed);
        self.0.phase.store(BUSY, Ordering::Relaxed);
    }
    /// The handler asks for the body, or answers.
    pub(super) fn goes_on(&self) {
        self.0.held.store(false, Ordering::Relaxed);
    }
    /// The handler wants no more of a body that has not ended.
    pub(super) fn unread(&self) {
        self.0.unread.store(true, Ordering::Relaxed);
    }
    /// The next byte begins a request.
    pub(super) fn between(&self) {
        self.0.phase.store(BETWEEN, Ordering::Relaxed);
    }
    fn is(&self, phase: u8) -> bool {
        self.0.phase.load(Ordering::Relaxed) == phase
    }
    fn is_held(&self) -> bool {
        self.0.held.load(Ordering::Relaxed)
    }
    /// Whether nothing more is expected from the peer.
    fn is_quiet(&self) -> bool {
        self.is(BETWEEN) && !self.0.unread.load(Ordering::Relaxed)
    }
}

/// A timer that is made when it is first needed and then used again.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Timer {
    /// Sets the end, unless the timer already runs.
    pub(super) fn arm(&mut self, end: Instant) {
        if self.armed {
            return;
        }
        self.armed = true;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(end),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(end))),
        }
    }
    /// Forgets the end.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
    /// Whether the end has come; wakes the task when it does.
    pub(super) fn ended(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.sleep {
            Some(sleep) if self.armed => sleep.as_mut().poll(cx).is_ready(),
            _ => false,
        }
    }
}

/// A socket that knows of its peer's end also when nobody reads.
pub(super) trait Peered {
    /// Whether the peer will send nothing more. What it has sent may still be there to be read.
    fn peer_has_closed(&self) -> bool;
}

impl Peered for TcpStream {
    fn peer_has_closed(&self) -> bool {
        has_closed(pin!(self.ready(Interest::READABLE)))
    }
}

impl Peered for UnixStream {
    fn peer_has_closed(&self) -> bool {
        has_closed(pin!(self.ready(Interest::READABLE)))
    }
}

/// What is known already: nobody waits for it to become so.
fn has_closed(ready: Pin<&mut impl Future<Output = io::Result<Ready>>>) -> bool {
    match ready.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

/// A connection's socket.
pub(super) struct Socket<S> {
    stream: S,
    limits: Limits,
    phase: Phase,
    head_began: Option<Instant>,
    head_timer: Timer,
    write_timer: Timer,
    look_timer: Timer,
    close: Close,
}

/// How far the closing has come.
enum Close {
    Open,
    Discarding { left: u64 },
    Closed,
}

impl<S> Socket<S> {
    /// Around a stream that was just accepted. The phase begins as busy.
    pub(super) fn new(stream: S, limits: Limits, phase: Phase) -> Self {
        Self {
            stream,
            limits,
            phase,
            head_began: None,
            head_timer: Timer::default(),
            write_timer: Timer::default(),
            look_timer: Timer::default(),
            close: Close::Open,
        }
    }

    /// Bytes came: the first of a request start the clock.
    fn received(&mut self) {
        if self.phase.is(BETWEEN) {
            self.phase.0.phase.store(HEAD, Ordering::Relaxed);
            self.head_timer.disarm();
            self.head_began = Some(Instant::now());
        }
    }

    /// Nothing came: within the headers of a request, not for ever. (A peer that never lets us wait
    /// soon meets the limit on the size of headers.)
    fn waiting(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(began) = self.head_began.filter(|_| self.phase.is(HEAD)) else { return Ok(()) };
        self.head_timer.arm(began + self.limits.head);
        match self.head_timer.ended(cx) {
            true => Err(timed_out("the headers of a request took too long")),
            false => Ok(()),
        }
    }

    /// Bounds a write: progress forgets the clock, waiting starts it.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_timer.disarm();
            return result;
        }
        self.write_timer.arm(Instant::now() + self.limits.stall);
        match self.write_timer.ended(cx) {
            true => Poll::Ready(Err(timed_out("the peer takes no bytes"))),
            false => Poll::Pending,
        }
    }
}

impl<S: Peered> Socket<S> {
    /// Looks after the peer from time to time, while its request is held.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.phase.is_held() {
            self.look_timer.disarm();
            return Ok(());
        }
        self.look_timer.arm(Instant::now() + Duration::from_millis(LOOK_MS));
        while self.look_timer.ended(cx) {
            if self.stream.peer_has_closed() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.look_timer.disarm();
            self.look_timer.arm(Instant::now() + Duration::from_millis(LOOK_MS));
        }
        Ok(())
    }
}

fn timed_out(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, what)
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                if buf.filled().len() > before {
                    self.received();
                }
                Poll::Ready(result)
            }
            Poll::Pending => match self.waiting(cx) {
                Ok(()) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            },
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Peered + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes each time that it is polled, whether there is anything to write or not.
        self.look(cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Close::Open = this.close {
            std::task::ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if this.phase.is_quiet() {
                this.close = Close::Closed;
                return Poll::Ready(Ok(()));
            }
            this.close = Close::Discarding { left: DISCARDED_BYTES_MAX };
            this.head_timer.disarm();
            this.head_timer.arm(Instant::now() + Duration::from_millis(DISCARDING_MS_MAX));
        }
        let mut space = [0; DISCARD_UNIT_BYTES];
        while let Close::Discarding { left } = &mut this.close {
            let mut buf = ReadBuf::new(&mut space);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buf) {
                // A broken connection has nothing more to lose.
                Poll::Ready(Err(_)) => this.close = Close::Closed,
                Poll::Ready(Ok(())) => {
                    *left = left.saturating_sub(buf.filled().len() as u64);
                    if buf.filled().is_empty() || *left == 0 || this.head_timer.ended(cx) {
                        this.close = Close::Closed;
                    }
                }
                Poll::Pending if this.head_timer.ended(cx) => this.close = Close::Closed,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}
