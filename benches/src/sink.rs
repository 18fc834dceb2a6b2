//! Sink: a server that shows the least cost of writes on this machine. It reads a body with the
//! HTTP library of Partita, hashes it as S3 requires (MD5, and SHA-256 if the client signed it),
//! writes it to a file, syncs the file and responds. It keeps no metadata, checks no signature and
//! syncs no folder. Files are not deleted: pages of the disk that were used before are faster.

use std::convert::Infallible;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use md5::{Digest, Md5};
use sha2::Sha256;
use tokio::net::TcpListener;

/// Bytes that are hashed and written at once, as in Partita.
const UNIT_BYTES: usize = 256 << 10;

/// Arguments of `sink`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Address to listen on
    #[arg(long)]
    listen: SocketAddr,
    /// Folder for the files
    #[arg(long)]
    folder: PathBuf,
}

/// Serves until it is killed.
///
/// # Errors
/// The address cannot be listened on.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        let sink = Arc::new(Sink { folder: arguments.folder.clone(), next: AtomicU64::new(0) });
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let sink = Arc::clone(&sink);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let sink = Arc::clone(&sink);
                    async move { Ok::<_, Infallible>(sink.respond(request).await) }
                });
                // A disconnect is no error.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

/// State of the sink.
struct Sink {
    folder: PathBuf,
    /// Name of the next file.
    next: AtomicU64,
}

impl Sink {
    async fn respond(&self, request: Request<Incoming>) -> Response<Empty<Bytes>> {
        let answer = Response::builder();
        match self.store(request).await {
            Ok(etag) => answer.header("etag", etag).body(Empty::new()).unwrap_or_default(),
            Err(error) => {
                eprintln!("sink: {error}");
                answer.status(500).body(Empty::new()).unwrap_or_default()
            }
        }
    }

    /// Writes a body to a new file. Gives its ETag.
    async fn store(&self, request: Request<Incoming>) -> Result<String, Box<dyn Error>> {
        let path = self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        let signed = request.headers().get("x-amz-content-sha256");
        let signed = signed.is_some_and(|value| value.len() == 64);
        let mut body = request.into_body();
        let (mut md5, mut sha256) = (Md5::new(), signed.then(Sha256::new));
        let mut file = File::create(path)?;
        let mut unit = Vec::with_capacity(UNIT_BYTES * 2);
        loop {
            let frame = body.frame().await.transpose()?;
            let ended = frame.is_none();
            if let Some(data) = frame.and_then(|frame| frame.into_data().ok()) {
                unit.extend_from_slice(&data);
            }
            if unit.len() >= UNIT_BYTES || ended {
                md5.update(&unit);
                if let Some(sha256) = &mut sha256 {
                    sha256.update(&unit);
                }
                file.write_all(&unit)?;
                unit.clear();
            }
            if ended {
                break;
            }
        }
        std::hint::black_box(sha256.map(Sha256::finalize));
        tokio::task::spawn_blocking(move || file.sync_data()).await??;
        Ok(format!("\"{}\"", hex::encode(md5.finalize())))
    }
}
