//! Socket below HTTP and TLS: timeouts of heads and writes, and a close that delivers the response.
//!
//! **Invariants**
//! - The time from the first byte of a request to the end of its headers is at most `head`; of the
//!   first request of a connection, the time from the beginning.
//! - A write without a byte of progress for `stall` fails. Request bodies are bounded by
//!   [`RequestBody`](super::body::RequestBody), which knows when a body is polled.
//! - A connection whose peer may still be sending is closed in two steps: the write side is shut
//!   down, then received bytes are discarded. Closing at once would reset the connection and could
//!   lose a response that was sent before the body was read (a 403 to 20 MiB).
//! - A handler that has not polled the body is dropped within [`PEER_CHECK_MS`] after the peer
//!   disconnected. hyper reads nothing in that state, so it does not notice the disconnect.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf, Ready};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{Instant, Sleep};

use crate::limits::connections::Activity;

/// Most bytes discarded after the last response.
const DISCARDED_BYTES_MAX: u64 = 64 << 20;
/// Longest time spent on discarding bytes, in milliseconds.
const DISCARDING_MS_MAX: u64 = 2_000;
/// Interval of checks for a disconnected peer while its request body is not polled.
const PEER_CHECK_MS: u64 = 500;
/// Bytes of one discarding read.
const DISCARD_UNIT_BYTES: usize = 16 << 10;

/// Timeouts of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct SocketTimeouts {
    /// Longest time from the first byte of a request to the end of its headers. The first request
    /// has no other time: a connection that stays silent is soon closed.
    pub head: Duration,
    /// Longest time without a byte of progress in a request body or a response.
    pub stall: Duration,
    /// Waiting time over which a request body must have the least rate.
    pub rate_window: Duration,
}

/// Phase of a connection, set by the layers above the socket. Cheap to clone; every clone is the
/// same phase.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<State>);

#[derive(Debug, Default)]
struct State {
    /// Activity for the table of connections, if this one has a place there.
    activity: Option<Activity>,
    phase: AtomicU8,
    /// The body of the last request was not read to its end.
    unread: AtomicBool,
    /// The handler has neither polled the body nor returned a response.
    held: AtomicBool,
}

const BUSY: u8 = 0;
const BETWEEN: u8 = 1;
const HEAD: u8 = 2;
/// The first request has not started.
const FIRST: u8 = 3;

impl Phase {
    /// The phase of a connection that tells its activity.
    pub(super) fn of(activity: Activity) -> Self {
        Self(Arc::new(State { activity: Some(activity), ..State::default() }))
    }
    /// The connection waits for its first request.
    pub(super) fn first(&self) {
        self.0.phase.store(FIRST, Ordering::Relaxed);
    }
    /// A request is being handled (or a handshake, which has its own timeout).
    pub(super) fn busy(&self) {
        self.0.unread.store(false, Ordering::Relaxed);
        self.0.held.store(true, Ordering::Relaxed);
        self.0.phase.store(BUSY, Ordering::Relaxed);
        if let Some(activity) = &self.0.activity {
            activity.busy();
        }
    }
    /// The handler polls the body, or has returned a response.
    pub(super) fn resumed(&self) {
        self.0.held.store(false, Ordering::Relaxed);
    }
    /// The handler dropped a body that has not ended.
    pub(super) fn unread(&self) {
        self.0.unread.store(true, Ordering::Relaxed);
    }
    /// The next byte starts a request.
    pub(super) fn between(&self) {
        self.0.phase.store(BETWEEN, Ordering::Relaxed);
        if let Some(activity) = &self.0.activity {
            activity.idle();
        }
    }
    /// True if the connection has a place and waits for a request.
    pub(super) fn is_idle(&self) -> bool {
        self.0.activity.as_ref().is_some_and(Activity::is_idle)
    }
    /// Returns when the connection must close for another one; never if it has no place.
    pub(super) async fn told_to_close(&self) {
        match &self.0.activity {
            Some(activity) => activity.told_to_close().await,
            None => std::future::pending().await,
        }
    }
    fn is(&self, phase: u8) -> bool {
        self.0.phase.load(Ordering::Relaxed) == phase
    }
    fn is_held(&self) -> bool {
        self.0.held.load(Ordering::Relaxed)
    }
    /// True if the peer is not expected to send: the last body ended and no request has started.
    fn is_quiet(&self) -> bool {
        self.is(BETWEEN) && !self.0.unread.load(Ordering::Relaxed)
    }
}

/// Reusable timer, created on first use.
#[derive(Default)]
pub(super) struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    armed: bool,
}

impl Timer {
    /// Sets the deadline, unless one is set.
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
    /// Removes the deadline.
    pub(super) fn disarm(&mut self) {
        self.armed = false;
    }
    /// True if the deadline has passed. Wakes the task when it passes.
    pub(super) fn has_expired(&mut self, cx: &mut Context<'_>) -> bool {
        match &mut self.sleep {
            Some(sleep) if self.armed => sleep.as_mut().poll(cx).is_ready(),
            _ => false,
        }
    }
}

/// Socket that detects a disconnected peer without reading.
pub(super) trait PeerState {
    /// True if the peer will send nothing more. Bytes that it sent earlier may still be unread.
    fn peer_has_closed(&self) -> bool;
}

impl PeerState for TcpStream {
    fn peer_has_closed(&self) -> bool {
        has_closed(pin!(self.ready(Interest::READABLE)))
    }
}

impl PeerState for UnixStream {
    fn peer_has_closed(&self) -> bool {
        has_closed(pin!(self.ready(Interest::READABLE)))
    }
}

/// Result of a readiness future that is polled once, without a wait.
fn has_closed(ready: Pin<&mut impl Future<Output = io::Result<Ready>>>) -> bool {
    match ready.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(ready)) => ready.is_read_closed(),
        Poll::Ready(Err(_)) => true,
        Poll::Pending => false,
    }
}

/// Socket of a connection, with timeouts.
pub(super) struct Socket<S> {
    stream: S,
    timeouts: SocketTimeouts,
    phase: Phase,
    head_started: Option<Instant>,
    head_timer: Timer,
    write_timer: Timer,
    peer_timer: Timer,
    close: Close,
}

/// State of a close.
enum Close {
    Open,
    Discarding { left: u64 },
    Closed,
}

impl<S> Socket<S> {
    /// Wraps an accepted stream. The phase starts as busy.
    pub(super) fn new(stream: S, timeouts: SocketTimeouts, phase: Phase) -> Self {
        Self {
            stream,
            timeouts,
            phase,
            head_started: None,
            head_timer: Timer::default(),
            write_timer: Timer::default(),
            peer_timer: Timer::default(),
            close: Close::Open,
        }
    }

    /// Handles received bytes: the first of a request start the timeout of its head.
    fn received(&mut self) {
        if self.phase.is(FIRST) {
            self.phase.0.phase.store(HEAD, Ordering::Relaxed);
        } else if self.phase.is(BETWEEN) {
            self.phase.0.phase.store(HEAD, Ordering::Relaxed);
            self.head_timer.disarm();
            self.head_started = Some(Instant::now());
        }
    }

    /// Bounds a wait inside the headers of a request. (A peer that sends without a pause reaches
    /// the limit on the size of headers.)
    fn waiting(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.phase.is(FIRST) {
            self.head_started.get_or_insert_with(Instant::now);
        } else if !self.phase.is(HEAD) {
            return Ok(());
        }
        let Some(started) = self.head_started else { return Ok(()) };
        self.head_timer.arm(started + self.timeouts.head);
        match self.head_timer.has_expired(cx) {
            true => Err(timed_out("the headers of a request took too long")),
            false => Ok(()),
        }
    }

    /// Bounds a write: progress removes the deadline, waiting sets it.
    fn written<T>(
        &mut self,
        cx: &mut Context<'_>,
        result: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_timer.disarm();
            return result;
        }
        self.write_timer.arm(Instant::now() + self.timeouts.stall);
        match self.write_timer.has_expired(cx) {
            true => Poll::Ready(Err(timed_out("the peer does not read"))),
            false => Poll::Pending,
        }
    }
}

impl<S: PeerState> Socket<S> {
    /// Fails if the peer has disconnected while its request is held. Checks at intervals.
    fn check_peer(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.phase.is_held() {
            self.peer_timer.disarm();
            return Ok(());
        }
        self.peer_timer.arm(Instant::now() + Duration::from_millis(PEER_CHECK_MS));
        while self.peer_timer.has_expired(cx) {
            if self.stream.peer_has_closed() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            self.peer_timer.disarm();
            self.peer_timer.arm(Instant::now() + Duration::from_millis(PEER_CHECK_MS));
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

impl<S: AsyncRead + AsyncWrite + PeerState + Unpin> AsyncWrite for Socket<S> {
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
        // hyper flushes on every poll, also when there is nothing to write.
        self.check_peer(cx)?;
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
                // On a failed connection there is nothing left to deliver.
                Poll::Ready(Err(_)) => this.close = Close::Closed,
                Poll::Ready(Ok(())) => {
                    *left = left.saturating_sub(buf.filled().len() as u64);
                    if buf.filled().is_empty() || *left == 0 || this.head_timer.has_expired(cx) {
                        this.close = Close::Closed;
                    }
                }
                Poll::Pending if this.head_timer.has_expired(cx) => this.close = Close::Closed,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}
