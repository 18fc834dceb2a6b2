//! The sink: what writing costs at least on this machine. It reads a body with the same HTTP
//! library as Partita, hashes it as S3 asks (MD5; SHA-256 too when the client signed it), writes it
//! to a file of its own, syncs the file and answers. It keeps no metadata, checks no signature,
//! syncs no folder. The files stay: pages that were used before are written quicker than fresh
//! ones.

use std::convert::Infallible;
use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
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

/// Bytes gathered before they are hashed and written at once, as in Partita.
const UNIT_BYTES: usize = 256 << 10;

/// How the sink is started.
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
/// When it cannot listen.
pub fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        let folder: Arc<Path> = arguments.folder.clone().into();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let folder = Arc::clone(&folder);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let folder = Arc::clone(&folder);
                    async move { Ok::<_, Infallible>(take(request, &folder).await) }
                });
                // A client that hangs up has what it wanted.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn take(request: Request<Incoming>, folder: &Path) -> Response<Empty<Bytes>> {
    let answer = Response::builder();
    match swallow(request, folder).await {
        Ok(etag) => answer.header("etag", etag).body(Empty::new()).unwrap_or_default(),
        Err(error) => {
            eprintln!("sink: {error}");
            answer.status(500).body(Empty::new()).unwrap_or_default()
        }
    }
}

async fn swallow(request: Request<Incoming>, folder: &Path) -> Result<String, Box<dyn Error>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let path = folder.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
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
