//! HTTP client of a target: hyper's client with a connector that checks addresses.
//!
//! **Invariants**
//! - The connector resolves a name, checks each address, and connects to the checked address
//!   itself. A name that resolves differently a moment later is of no use to an attacker (DNS
//!   rebinding).
//! - Redirects are not followed, and proxies of the environment are not used.
//! - A response costs a bounded head and 1 KiB of body, whatever the peer sends.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::addresses::is_allowed;
use crate::config::{Network, Webhook};

/// Bytes of a response body that are kept.
const REPLY_BYTES_MAX: usize = 1024;
/// Longest wait for the body, in milliseconds. The outcome depends on the status alone.
const REPLY_MS_MAX: u64 = 2_000;
/// Longest head of a response, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Longest time that an idle connection is kept, in milliseconds.
const IDLE_MS_MAX: u64 = 30_000;
/// Longest time for a connection to one address, in milliseconds. The next address follows.
const ADDRESS_CONNECT_MS_MAX: u64 = 5_000;

type HyperClient = hyper_util::client::legacy::Client<Connector, Full<Bytes>>;

/// Client of one target. Cheap to clone; clones share connections.
#[derive(Clone)]
pub(crate) struct Client(HyperClient);

/// Response of a target.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// First bytes of the body, at most 1 KiB.
    pub(crate) body: Vec<u8>,
}

impl Client {
    /// A client with a connection pool of its own.
    ///
    /// # Errors
    /// A problem with `ca-file`, as text.
    pub(crate) fn new(webhook: &Webhook) -> Result<Self, String> {
        let tls = match webhook.url.scheme_str() {
            Some("https") => Some(TlsConnector::from(tls_config(webhook)?)),
            _ => None,
        };
        let connector = Connector { allowed: webhook.allow_addresses.clone().into(), tls };
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_millis(IDLE_MS_MAX))
            .pool_max_idle_per_host(webhook.concurrency_max)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends a POST request.
    ///
    /// # Errors
    /// The reason why there is no response, as text.
    pub(crate) async fn post(
        &self,
        url: &Uri,
        headers: HeaderMap<HeaderValue>,
        body: Vec<u8>,
    ) -> Result<Reply, String> {
        let mut request = Request::post(url.clone())
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = headers;
        let response = self.0.request(request).await.map_err(|error| with_causes(&error))?;
        let (head, body) = response.into_parts();
        let body = read_start(body).await;
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }
}

/// An error and its causes, separated by colons.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Reads the first bytes of a body. A body that was read to its end leaves its connection usable;
/// otherwise the connection is closed.
async fn read_start(mut body: Incoming) -> Vec<u8> {
    let mut kept = Vec::new();
    let read = async {
        while kept.len() < REPLY_BYTES_MAX
            && let Some(Ok(frame)) = body.frame().await
        {
            let Some(bytes) = frame.data_ref() else { continue };
            let count = bytes.len().min(REPLY_BYTES_MAX - kept.len());
            kept.extend_from_slice(&bytes[..count]);
        }
    };
    // Bytes that arrived before a timeout are kept.
    let _ = tokio::time::timeout(Duration::from_millis(REPLY_MS_MAX), read).await;
    kept
}

fn tls_config(webhook: &Webhook) -> Result<Arc<rustls::ClientConfig>, String> {
    let mut roots = rustls::RootCertStore::empty();
    match &webhook.ca_file {
        Some(path) => {
            let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
            let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect)
                .map_err(|error| failed(&error))?;
            for certificate in certificates {
                roots.add(certificate).map_err(|error| failed(&error))?;
            }
        }
        None => {
            // Certificates of the system that cannot be parsed are skipped.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err("there is no trusted certificate, neither in ca-file nor in the system".into());
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Opens the connections of a target.
#[derive(Clone)]
struct Connector {
    allowed: Arc<[Network]>,
    tls: Option<TlsConnector>,
}

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<Transport>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { this.connect(&uri).await.map(TokioIo::new) })
    }
}

impl Connector {
    async fn connect(&self, uri: &Uri) -> io::Result<Transport> {
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let secure = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        // An address in place of a name is returned as it is. Both are checked below.
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await?.collect();
        let stream = self.connect_to(&found).await?;
        // A request is written whole; waiting for more bytes only delays it.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            Some(tls) if secure => {
                let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
                Ok(Transport::Tls(Box::new(tls.connect(name, stream).await?)))
            }
            _ => Ok(Transport::Plain(stream)),
        }
    }

    /// Connects to the first allowed address that accepts.
    async fn connect_to(&self, found: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut failed = io::Error::other("the name has no address");
        for address in found {
            if !is_allowed(address.ip(), &self.allowed) {
                let problem = format!(
                    "{} is not a public address, and allow-addresses does not include it",
                    address.ip()
                );
                failed = io::Error::new(io::ErrorKind::PermissionDenied, problem);
                continue;
            }
            let limit = Duration::from_millis(ADDRESS_CONNECT_MS_MAX);
            match tokio::time::timeout(limit, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }
}

/// Connection to a target.
enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection for Transport {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Transport {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
