//! One connection: handshake, requests, and its part of a shutdown.

use std::convert::Infallible;
use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::body::{End, RequestBody, ResponseBody, is_endless};
use super::socket::{Phase, Socket, SocketTimeouts};
use crate::gateway::Arrival;
use crate::wire::response::Stream;

/// Stage of the server. Stages only advance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// Connections are accepted.
    Serving,
    /// Requests under way may end; no others start.
    Draining,
    /// Connections are dropped with their requests.
    Dropping,
}

/// Other end of a connection.
#[derive(Clone)]
pub(super) struct Peer {
    /// IP address, or `control`.
    pub(super) name: String,
    pub(super) secure: bool,
    pub(super) control: bool,
    /// True if only the health is answered.
    pub(super) refused: bool,
}

/// Settings and handler of a connection. Cloned for each.
#[derive(Clone)]
pub(super) struct Connection<H> {
    pub(super) http: http1::Builder,
    pub(super) timeouts: SocketTimeouts,
    /// Longest TLS handshake.
    pub(super) handshake: Duration,
    pub(super) stage: watch::Receiver<Stage>,
    pub(super) handler: H,
}

impl<H, F> Connection<H>
where
    H: Fn(Arrival, Request<Stream>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Stream>> + Send + 'static,
{
    /// Performs a TLS handshake, then serves as [`Self::serve`] does.
    pub(super) async fn serve_tls(
        mut self,
        acceptor: TlsAcceptor,
        socket: Socket<TcpStream>,
        peer: Peer,
        phase: Phase,
    ) {
        let handshake = tokio::time::timeout(self.handshake, acceptor.accept(socket));
        let stream = tokio::select! {
            stream = handshake => stream,
            () = reached(&mut self.stage, Stage::Draining) => return,
            () = phase.told_to_close() => return,
        };
        match stream {
            Ok(Ok(stream)) => self.serve(stream, peer, phase).await,
            Ok(Err(error)) => tracing::debug!(peer = peer.name, %error, "the TLS handshake failed"),
            Err(_) => tracing::debug!(peer = peer.name, "the TLS handshake took too long"),
        }
    }

    /// Serves the requests of one connection until either side closes it.
    pub(super) async fn serve<S>(self, stream: S, peer: Peer, phase: Phase)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        phase.first();
        let waiting = phase.clone();
        let Self { http, timeouts, mut stage, handler, .. } = self;
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
                refused: peer.refused,
            };
            let request =
                request.map(|body| RequestBody::new(body, timeouts, phase.clone()).boxed());
            let response = handler(arrival, request);
            let mut stage = stage_now.clone();
            async move {
                let response = response.await;
                let end = is_endless(response.headers()).then(|| -> End {
                    Box::pin(async move { reached(&mut stage, Stage::Draining).await })
                });
                Ok::<_, Infallible>(response.map(|body| ResponseBody::new(body, end, phase)))
            }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            biased;
            result = connection.as_mut() => Some(result),
            () = reached(&mut stage, Stage::Draining) => None,
            () = waiting.told_to_close() => match waiting.is_idle() {
                true => return,
                false => None,
            },
        };
        let result = match result {
            Some(result) => result,
            None => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    result = connection.as_mut() => result,
                    () = reached(&mut stage, Stage::Dropping) => return,
                }
            }
        };
        if let Err(error) = result {
            tracing::debug!(peer = name, %error, "a connection failed");
        }
    }
}

/// Returns when the server has reached `wanted`, or no longer exists.
async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    let _ = stage.wait_for(|stage| *stage >= wanted).await;
}
