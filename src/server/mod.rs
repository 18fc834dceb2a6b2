//! Sockets, TLS, connection limits, timeouts and the graceful end: the only place that names
//! hyper's server.
//!
//! **Invariants**
//! - Everything that a peer can make us hold is bounded: connections by a semaphore (more wait in
//!   the kernel's backlog), headers and buffers by hyper's limits, time by [`socket`] and [`body`].
//! - A failure to accept never ends the server.
//! - At the end nothing new is accepted, what is under way may end, and after the drain time it
//!   is cut.

mod body;
mod control;
mod socket;
pub(crate) mod threads;
mod tls;

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use control::connect;
pub use tls::{Tls, TlsError};

use crate::config::Config;
use crate::gateway::Arrival;
use crate::wire::response::Stream;
use body::{Answering, End, Receiving, is_endless};
use socket::{Limits, Phase, Socket};
use threads::Threads;

/// Most connections that wait to be accepted; the system may allow fewer. What comes above it is
/// overlooked by the kernel, and the client tries again after a second, or is reset.
const BACKLOG: u32 = 4096;
/// Most connections to the control socket at once.
const CONTROL_CONNECTIONS_MAX: usize = 64;
/// Most bytes that hyper buffers in each direction of a connection, unless heads may be longer.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Room beyond our own limits on headers and target, so that a little too much is answered in XML
/// and only far too much by hyper.
const HEAD_SLACK_BYTES: usize = 8 << 10;
/// Pause after an accept that failed for want of descriptors or memory.
const ACCEPT_PAUSE_MS: u64 = 100;
/// Time for connections that were cut to let go of what they hold.
const CUT_MS_MAX: u64 = 1_000;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// As configured.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot make the control socket in {}: {source}", data.display())]
    Control {
        /// The data folder.
        data: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no threads to give.
    #[error("cannot start the threads that serve: {0}")]
    Threads(io::Error),
    /// The certificate cannot be used.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] TlsError),
}

/// A server that has its sockets but serves nobody yet.
pub struct Server {
    listener: TcpListener,
    control: UnixListener,
    address: SocketAddr,
    tls: Option<Tls>,
    data: PathBuf,
    connections_max: usize,
    handshake: Duration,
    http: http1::Builder,
    limits: Limits,
    workers: Threads,
}

/// How far the server has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Stage {
    Serving,
    Draining,
    Cut,
}

impl Server {
    /// Takes the address and the control socket. The data folder exists and is locked by us.
    pub async fn bind(config: &Config) -> Result<Self, BindError> {
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::load(certificate, key)?),
            _ => None,
        };
        let failed = |source| BindError::Listen { address: config.listen.clone(), source };
        let listener = listen(&config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let workers = Threads::start(worker_threads(config), config.blocking_threads_max)
            .map_err(BindError::Threads)?;
        let control = control::listen(&config.data)
            .map_err(|source| BindError::Control { data: config.data.clone(), source })?;
        let head_max = config.header_bytes_max + config.uri_bytes_max + HEAD_SLACK_BYTES;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // A client that hangs up is noticed at once, and its handler dropped; before a body
            // is asked for, by the socket.
            .half_close(false)
            .header_read_timeout(Duration::from_millis(config.idle_timeout_ms))
            .max_header_size(head_max)
            .max_buf_size(BUFFER_BYTES_MAX.max(head_max));
        Ok(Self {
            listener,
            control,
            address,
            tls,
            data: config.data.clone(),
            connections_max: connections_max(config.connections_max),
            handshake: Duration::from_millis(config.tls_handshake_timeout_ms),
            http,
            limits: Limits {
                head: Duration::from_millis(config.head_timeout_ms),
                stall: Duration::from_millis(config.stall_timeout_ms),
            },
            workers,
        })
    }

    /// The address in use, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate, if there is one, to be read again while the server runs.
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// Serves until `stop` ends, which says how long what is under way may still take. Gives
    /// whether all of it ended in that time.
    pub async fn run<H, F>(self, handler: H, stop: impl Future<Output = Duration>) -> bool
    where
        H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Stream>> + Send + 'static,
    {
        let workers = self.workers;
        let stage = watch::Sender::new(Stage::Serving);
        let slots = Arc::new(Semaphore::new(self.connections_max));
        let control_slots = Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX));
        let connection = Connection {
            http: self.http,
            limits: self.limits,
            handshake: self.handshake,
            stage: stage.subscribe(),
            handler,
        };
        let drain = tokio::select! {
            drain = stop => drain,
            () = accept_public(self.listener, self.tls, &slots, &connection, &workers) => {
                unreachable!("accepting has no end")
            }
            () = accept_control(self.control, &control_slots, &connection) => {
                unreachable!("accepting has no end")
            }
        };
        // Both listeners are closed now: the futures that owned them are gone.
        control::remove(&self.data);
        drop(connection);
        stage.send_replace(Stage::Draining);
        let ended = || async {
            let all = u32::try_from(self.connections_max).expect("at most a million");
            // Neither semaphore is ever closed, so both only end when all permits are back.
            let _ = slots.acquire_many(all).await;
            let _ = control_slots.acquire_many(CONTROL_CONNECTIONS_MAX as u32).await;
        };
        let in_time = tokio::time::timeout(drain, ended()).await.is_ok();
        if !in_time {
            stage.send_replace(Stage::Cut);
            let _ = tokio::time::timeout(Duration::from_millis(CUT_MS_MAX), ended()).await;
        }
        if tokio::task::spawn_blocking(|| workers.end()).await.is_err() {
            tracing::error!("the threads that served did not end well");
        }
        in_time
    }
}

/// Listens on the first address of a name that can be had. (`TcpListener::bind` would do the same
/// with a backlog of 128, which all clients together exceed when they come back after a restart.)
async fn listen(name: &str) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in lookup_host(name).await? {
        match listen_on(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections of a server that has just ended are no hindrance.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts clients, one permit each, for ever.
async fn accept_public<H, F>(
    listener: TcpListener,
    tls: Option<Tls>,
    slots: &Arc<Semaphore>,
    connection: &Connection<H>,
    workers: &Threads,
) where
    H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Stream>> + Send + 'static,
{
    loop {
        let slot = take(slots).await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                refused(&error).await;
                continue;
            }
        };
        // Answers are written whole; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let peer = Peer { name: peer.ip().to_string(), secure: tls.is_some(), control: false };
        let acceptor = tls.as_ref().map(Tls::acceptor);
        let connection = connection.clone();
        let serve = move |stream| async move {
            let _slot = slot;
            let phase = Phase::default();
            let socket = Socket::new(stream, connection.limits, phase.clone());
            match acceptor {
                None => connection.serve(socket, peer, phase).await,
                Some(acceptor) => connection.serve_tls(acceptor, socket, peer, phase).await,
            }
        };
        if let Err(error) = workers.serve(stream, serve) {
            tracing::warn!(%error, "cannot hand a connection over");
        }
    }
}

/// Accepts commands on the control socket, for ever.
async fn accept_control<H, F>(
    listener: UnixListener,
    slots: &Arc<Semaphore>,
    connection: &Connection<H>,
) where
    H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Stream>> + Send + 'static,
{
    loop {
        let slot = take(slots).await;
        match listener.accept().await {
            Err(error) => refused(&error).await,
            // The file's mode says the same, but it is set a moment after the file is made.
            Ok((stream, _)) if !control::is_ours(&stream) => drop(stream),
            Ok((stream, _)) => {
                let peer = Peer { name: "control".into(), secure: false, control: true };
                let connection = connection.clone();
                tokio::spawn(async move {
                    let _slot = slot;
                    let phase = Phase::default();
                    let socket = Socket::new(stream, connection.limits, phase.clone());
                    connection.serve(socket, peer, phase).await;
                });
            }
        }
    }
}

async fn take(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed")
}

/// Waits a little when the system has no more descriptors or memory; goes on at once when only the
/// client went away.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
}

/// Who is at the other end.
#[derive(Clone)]
struct Peer {
    name: String,
    secure: bool,
    control: bool,
}

/// What every connection is served with.
#[derive(Clone)]
struct Connection<H> {
    http: http1::Builder,
    limits: Limits,
    handshake: Duration,
    stage: watch::Receiver<Stage>,
    handler: H,
}

impl<H, F> Connection<H>
where
    H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Stream>> + Send + 'static,
{
    /// As [`Self::serve`], after a handshake.
    async fn serve_tls(
        mut self,
        acceptor: tokio_rustls::TlsAcceptor,
        socket: Socket<tokio::net::TcpStream>,
        peer: Peer,
        phase: Phase,
    ) {
        let handshake = tokio::time::timeout(self.handshake, acceptor.accept(socket));
        let stream = tokio::select! {
            stream = handshake => stream,
            () = reached(&mut self.stage, Stage::Draining) => return,
        };
        match stream {
            Ok(Ok(stream)) => self.serve(stream, peer, phase).await,
            Ok(Err(error)) => tracing::debug!(peer = peer.name, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(peer = peer.name, "the TLS handshake took too long"),
        }
    }

    /// Serves the requests of one connection until either side ends it.
    async fn serve<S>(self, stream: S, peer: Peer, phase: Phase)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        phase.between();
        let Self { http, limits, mut stage, handler, .. } = self;
        let stage_now = stage.clone();
        let name = peer.name.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            phase.busy();
            let phase = phase.clone();
            let arrival = Arrival {
                peer: peer.name.clone(),
                secure: peer.secure,
                control: peer.control,
                draining: *stage_now.borrow() >= Stage::Draining,
            };
            let request =
                request.map(|body| Receiving::new(body, limits.stall, phase.clone()).boxed());
            let answer = handler(arrival, request);
            let mut stage = stage_now.clone();
            async move {
                let answer = answer.await;
                let end = is_endless(answer.headers()).then(|| -> End {
                    Box::pin(async move { reached(&mut stage, Stage::Draining).await })
                });
                Ok::<_, Infallible>(answer.map(|body| Answering::new(body, end, phase)))
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            biased;
            result = connection.as_mut() => Some(result),
            () = reached(&mut stage, Stage::Draining) => None,
        };
        let result = match result {
            Some(result) => result,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection.as_mut() => result,
                    () = reached(&mut stage, Stage::Cut) => return,
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(peer = name, %error, "a connection broke");
        }
    }
}

/// Ends when the server has come as far as `wanted`, or is gone.
async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}

/// As many threads as configured, or one for each core.
fn worker_threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    if config.worker_threads == 0 { cores() } else { config.worker_threads }
}

/// As many connections as configured, if the limit on open files allows it: a connection may hold
/// its socket and the files that it reads and writes. Raises the soft limit first.
fn connections_max(configured: usize) -> usize {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(files) = files else { return configured };
    let allowed = usize::try_from(files / 4).unwrap_or(usize::MAX).max(1);
    if allowed < configured {
        tracing::warn!(configured, allowed, "connections are fewer: the limit on open files");
    }
    configured.min(allowed)
}

#[cfg(test)]
mod tests;
