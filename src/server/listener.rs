//! Listening sockets of a server: binds them, accepts connections, and shuts down.
//!
//! **Invariant:** the number of connections is bounded: on the public address by the places of
//! [`Connections`], on the control socket by the permits of a semaphore.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::server::conn::http1;
use hyper_util::rt::TokioTimer;
use tokio::net::{TcpListener, TcpSocket, UnixListener, lookup_host};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::connection::{Connection, Peer, Stage};
use super::control_socket;
use super::socket::{Phase, Socket, SocketTimeouts};
use super::threads::WorkerThreads;
use super::tls::{Tls, TlsError};
use crate::config::Config;
use crate::gateway::Arrival;
use crate::limits::connections::{self, CONNECTIONS_RESERVED, Connections};
use crate::wire::response::Stream;

/// Most connections that wait to be accepted; the system may allow fewer. The kernel drops
/// connection requests above it, and their clients repeat them after a second.
const BACKLOG: u32 = 4096;
/// Most connections to the control socket at once.
const CONTROL_CONNECTIONS_MAX: usize = 64;
/// Most bytes that hyper buffers in each direction of a connection, unless heads may be longer.
const CONNECTION_BUFFER_BYTES_MAX: usize = 64 << 10;
/// Bytes of a head beyond the configured limits that hyper still reads, so that a head slightly
/// above a limit gets an S3 error document.
const HEAD_SLACK_BYTES: usize = 8 << 10;
/// Pause after an accept that failed for lack of descriptors or memory, in milliseconds.
const ACCEPT_PAUSE_MS: u64 = 100;
/// Most connections that were accepted and wait for a place; others wait in the backlog.
const PLACELESS_MAX: usize = 256;
/// Longest wait for dropped connections to release their resources, in milliseconds.
const DROP_MS_MAX: u64 = 1_000;

/// Error of a server that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The configured address.
        address: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The control socket cannot be created.
    #[error("cannot create the control socket in {}: {source}", data.display())]
    Control {
        /// The data folder.
        data: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// The limit on open files is too low to serve requests.
    #[error(
        "the limit on open files is {0}, and the server needs {FILES_MIN}: raise it (ulimit -n, or \
         LimitNOFILE of systemd)"
    )]
    Files(u64),
    /// The system refuses threads.
    #[error("cannot start the worker threads: {0}")]
    Threads(io::Error),
    /// The certificate cannot be used.
    #[error("cannot use the certificate: {0}")]
    Tls(#[from] TlsError),
}

/// A server whose sockets are open. Connections wait in the backlog until [`Self::run`].
pub struct Server {
    listener: TcpListener,
    control: UnixListener,
    address: SocketAddr,
    tls: Option<Tls>,
    data: PathBuf,
    connections: Connections,
    handshake: Duration,
    http: http1::Builder,
    timeouts: SocketTimeouts,
    workers: WorkerThreads,
}

impl Server {
    /// Opens the sockets, reads the certificate and starts the worker threads. The data folder must
    /// exist, and the caller must hold its lock.
    ///
    /// # Errors
    /// The first step that fails, as a [`BindError`].
    pub async fn bind(config: &Config) -> Result<Self, BindError> {
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(certificate), Some(key)) => Some(Tls::load(certificate, key)?),
            _ => None,
        };
        let connections_max = connections_max(config.connections_max)?;
        let failed = |source| BindError::Listen { address: config.listen.clone(), source };
        let listener = listen(&config.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let workers = WorkerThreads::start(worker_threads(config), config.blocking_threads_max)
            .map_err(BindError::Threads)?;
        let control = control_socket::listen(&config.data)
            .map_err(|source| BindError::Control { data: config.data.clone(), source })?;
        let head_max = config.header_bytes_max + config.uri_bytes_max + HEAD_SLACK_BYTES;
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // A disconnect is noticed at once and drops the handler. Before the body is polled,
            // the socket notices it.
            .half_close(false)
            .header_read_timeout(Duration::from_millis(config.idle_timeout_ms))
            .max_header_size(head_max)
            .max_buf_size(CONNECTION_BUFFER_BYTES_MAX.max(head_max));
        Ok(Self {
            listener,
            control,
            address,
            tls,
            data: config.data.clone(),
            connections: Connections::new(places(config, connections_max)),
            handshake: Duration::from_millis(config.tls_handshake_timeout_ms),
            http,
            timeouts: SocketTimeouts {
                head: Duration::from_millis(config.head_timeout_ms),
                stall: Duration::from_millis(config.stall_timeout_ms),
                rate_window: Duration::from_millis(config.rate_window_ms),
            },
            workers,
        })
    }

    /// The address with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a URL: `http://127.0.0.1:9000`.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate, if there is one, for reloads while the server runs.
    pub fn tls(&self) -> Option<Tls> {
        self.tls.clone()
    }

    /// Serves until `stop` returns the drain time. Returns true if all requests under way ended
    /// within it, false if some were dropped.
    pub async fn run<H, F>(self, handler: H, stop: impl Future<Output = Duration>) -> bool
    where
        H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Stream>> + Send + 'static,
    {
        let workers = self.workers;
        let stage = watch::Sender::new(Stage::Serving);
        let connections = self.connections;
        let control_slots = Arc::new(Semaphore::new(CONTROL_CONNECTIONS_MAX));
        let connection = Connection {
            http: self.http,
            timeouts: self.timeouts,
            handshake: self.handshake,
            stage: stage.subscribe(),
            handler,
        };
        let drain = tokio::select! {
            drain = stop => drain,
            () = accept_public(self.listener, self.tls, &connections, &connection, &workers) => {
                unreachable!("accepting has no end")
            }
            () = accept_control(self.control, &control_slots, &connection) => {
                unreachable!("accepting has no end")
            }
        };
        // Both listeners are closed: the futures that owned them were dropped.
        control_socket::remove(&self.data);
        drop(connection);
        stage.send_replace(Stage::Draining);
        let ended = || async {
            connections.all_ended().await;
            // The semaphore is never closed, so this wait ends only when all permits are back.
            let _ = control_slots.acquire_many(CONTROL_CONNECTIONS_MAX as u32).await;
        };
        let in_time = tokio::time::timeout(drain, ended()).await.is_ok();
        if !in_time {
            stage.send_replace(Stage::Dropping);
            let _ = tokio::time::timeout(Duration::from_millis(DROP_MS_MAX), ended()).await;
        }
        if tokio::task::spawn_blocking(|| workers.stop()).await.is_err() {
            tracing::error!("stopping the worker threads panicked");
        }
        in_time
    }
}

/// Listens on the first usable address of a name. (`TcpListener::bind` has a backlog of 128, which
/// clients that reconnect after a restart exceed.)
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
    // Connections of an earlier process in TIME_WAIT do not block the port.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts clients, each in a place of its own. Never returns.
async fn accept_public<H, F>(
    listener: TcpListener,
    tls: Option<Tls>,
    connections: &Connections,
    connection: &Connection<H>,
    workers: &WorkerThreads,
) where
    H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Stream>> + Send + 'static,
{
    let waiting = Arc::new(Semaphore::new(PLACELESS_MAX));
    loop {
        let waits = take(&waiting).await;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                accept_failed(&error).await;
                continue;
            }
        };
        // Responses are written whole; waiting for more bytes only delays them.
        let _ = stream.set_nodelay(true);
        let (address, acceptor) = (peer.ip(), tls.as_ref().map(Tls::acceptor));
        let at_once = connections.place_at_once(address);
        let (connections, connection) = (connections.clone(), connection.clone());
        let serve = move |stream| async move {
            let place = match at_once {
                Some(place) => place,
                None => connections.place(address).await,
            };
            drop(waits);
            let peer = Peer {
                name: address.to_string(),
                secure: acceptor.is_some(),
                control: false,
                refused: place.is_reserved(),
            };
            let phase = Phase::of(place.activity().clone());
            let _place = place;
            let socket = Socket::new(stream, connection.timeouts, phase.clone());
            match acceptor {
                None => connection.serve(socket, peer, phase).await,
                Some(acceptor) => connection.serve_tls(acceptor, socket, peer, phase).await,
            }
        };
        if let Err(error) = workers.serve(stream, serve) {
            tracing::warn!(%error, "cannot move a connection to a worker thread");
        }
    }
}

/// Accepts commands on the control socket. Never returns.
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
            Err(error) => accept_failed(&error).await,
            // The mode of the file is set only after the file exists, so peers are checked too.
            Ok((stream, _)) if !control_socket::is_ours(&stream) => drop(stream),
            Ok((stream, _)) => {
                let peer =
                    Peer { name: "control".into(), secure: false, control: true, refused: false };
                let connection = connection.clone();
                tokio::spawn(async move {
                    let _slot = slot;
                    let phase = Phase::default();
                    let socket = Socket::new(stream, connection.timeouts, phase.clone());
                    connection.serve(socket, peer, phase).await;
                });
            }
        }
    }
}

async fn take(slots: &Arc<Semaphore>) -> OwnedSemaphorePermit {
    Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed")
}

/// Handles a failed accept: pauses when the system lacks descriptors or memory, returns at once
/// when only the client disconnected.
async fn accept_failed(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted) {
        return;
    }
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
}

/// Bounds of the places: an address may have three quarters of them, unless configured.
fn places(config: &Config, all: usize) -> connections::Bounds {
    let of_address = match config.address_connections_max {
        0 => (all * 3).div_ceil(4),
        configured => configured,
    };
    connections::Bounds { all, of_address, reserved: CONNECTIONS_RESERVED }
}

/// Number of worker threads: as configured, or one per core.
fn worker_threads(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    if config.worker_threads == 0 { cores() } else { config.worker_threads }
}

/// Files that the server holds open for itself: the 256 folders of blobs, database and threads.
const FILES_OWN: u64 = 320;
/// Least limit on open files with which the server starts; the rest is for connections.
const FILES_MIN: u64 = 512;

/// Most connections: as configured, or a quarter of the free open files if that is less. A
/// connection may hold its socket and the files that it reads and writes. Raises the soft limit to
/// the hard one.
///
/// # Errors
/// The limit is below [`FILES_MIN`]: requests would fail before connections are refused.
fn connections_max(configured: usize) -> Result<usize, BindError> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let files = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(files) = files else { return Ok(configured) };
    if files < FILES_MIN {
        return Err(BindError::Files(files));
    }
    let allowed = usize::try_from((files - FILES_OWN) / 4).unwrap_or(usize::MAX);
    if allowed < configured {
        tracing::warn!(
            configured,
            allowed,
            "fewer connections than configured are served: raise the limit on open files"
        );
    }
    Ok(configured.min(allowed))
}
