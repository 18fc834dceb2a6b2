//! `partita serve`: from the configuration to a server that runs until it is told to end.
//!
//! Standard output bears the lines of the start and nothing else; the log goes to standard error.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::reload::Reload;
use super::{Failure, Outcome, SETTINGS, blocking, check_owner, flag, load, root};
use crate::admin::health::DURABILITY;
use crate::config::{Config, KeyPair};
use crate::gateway::Gateway;
use crate::log;
use crate::server::Server;
use crate::store::{self, Store};
use crate::webhooks::Worker;

/// Time that readers have when nothing may be written any more.
const POISONED_DRAIN_MS: u64 = 5_000;
/// How often the store is asked whether it is poisoned.
const HEALTH_PAUSE_MS: u64 = 500;
/// Time for tasks that hang on a blocking call, when all else has ended.
const RUNTIME_END_MS_MAX: u64 = 2_000;

const AFTER_HELP: &str = "\
Every setting can also be given in the environment as PARTITA_<NAME> (upper case, _ for -), or in
the file under its name. A flag wins over the environment, the environment over the file.

Root's credentials come from the environment alone: PARTITA_ROOT_ACCESS_KEY_ID and
PARTITA_ROOT_SECRET_ACCESS_KEY. Without them the first start makes a random pair, keeps it in the
data folder and prints it once.";

pub(super) fn command() -> Command {
    Command::new("serve")
        .about("Serve S3 from a data folder")
        .args(SETTINGS.iter().map(flag))
        .after_help(AFTER_HELP)
}

pub(super) fn run(matches: &ArgMatches) -> Outcome {
    let config = Arc::new(load(matches)?);
    check_owner(&config.data)?;
    let log = log::start(&config);
    // Connections are served by the server's own threads; this one accepts, and watches.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config, matches));
    runtime.shutdown_timeout(Duration::from_millis(RUNTIME_END_MS_MAX));
    // Written out before the last word is said on standard error.
    drop(log);
    outcome
}

async fn serve(config: Arc<Config>, matches: &ArgMatches) -> Outcome {
    let signals = Signals::listen()?;
    let options = config.store_options();
    let store = blocking(move || Store::open(options)).await?.map_err(cannot_open)?;
    let outcome = serve_store(config, matches, store.clone(), signals).await;
    let poisoned = store.health().poisoned;
    blocking(move || store.close()).await?;
    match poisoned {
        Some(reason) => Err(Failure::Failed(format!("a write to disk failed: {reason}"))),
        None => outcome,
    }
}

async fn serve_store(
    config: Arc<Config>,
    matches: &ArgMatches,
    store: Store,
    signals: Signals,
) -> Outcome {
    // The address first: when it is taken, nothing was made or printed yet.
    let server = Server::bind(&config).await.map_err(Failure::failed)?;
    // They end by themselves when the start fails below.
    let workers = Worker::start(&config, &store).map_err(Failure::failed)?;
    let (for_root, data, given) = (store.clone(), config.data.clone(), config.root.clone());
    let made = blocking(move || root::ensure(&for_root, &data, given.as_ref())).await??;
    greet(&config, &server, made.as_ref());
    let gateway = Gateway::new(Arc::clone(&config), store.clone());
    let served = gateway.clone();
    let handler = move |arrival, request| {
        let gateway = served.clone();
        async move { gateway.serve(arrival, request).await }
    };
    let reload = Reload::new(matches.clone(), server.tls(), workers.secrets());
    let asked = signals.watch(reload);
    let drain = config.drain_timeout();
    let stop = async {
        let drain = tokio::select! {
            () = asked.notified() => drain,
            () = poisoned(&store) => drain.min(Duration::from_millis(POISONED_DRAIN_MS)),
        };
        gateway.start_shutdown();
        drain
    };
    if !server.run(handler, stop).await {
        tracing::warn!("requests under way were cut: the drain time is over");
    }
    blocking(move || workers.end()).await?;
    tracing::info!("ended");
    Ok(())
}

/// The lines of the start. When nobody reads them, the server runs all the same.
fn greet(config: &Config, server: &Server, made: Option<&KeyPair>) {
    let url = server.url();
    let data = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    let mut text = format!(
        "partita {}\ndata folder: {}\n{DURABILITY}\n",
        env!("CARGO_PKG_VERSION"),
        data.display()
    );
    if let Some(pair) = made {
        let endpoint = reachable(&url, server.address());
        text.push_str(&format!(
            "root credentials, shown this once and kept in {}/root-credentials; to try them:\n\
             export AWS_ACCESS_KEY_ID={} AWS_SECRET_ACCESS_KEY={} AWS_DEFAULT_REGION={} \
             AWS_ENDPOINT_URL={endpoint} && \
             aws --endpoint-url {endpoint} s3 mb s3://demo && \
             echo hello | aws --endpoint-url {endpoint} s3 cp - s3://demo/hello.txt\n",
            data.display(),
            pair.access_key_id(),
            pair.secret_access_key(),
            config.region,
        ));
    }
    text.push_str(&format!("listening on {url}\n"));
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), url, data = %data.display(), "started");
}

/// A URL that a client on this machine can use, also when we listen on every address.
fn reachable(url: &str, address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => url.replace(&address.to_string(), &format!("localhost:{}", address.port())),
        false => url.to_owned(),
    }
}

fn cannot_open(error: store::Error) -> Failure {
    match error {
        store::Error::Locked { .. } => {
            Failure::Failed(format!("{error}: another server runs on this data folder"))
        }
        other => Failure::failed(other),
    }
}

/// Ends when the store may promise nothing any more.
async fn poisoned(store: &Store) {
    let mut pause = tokio::time::interval(Duration::from_millis(HEALTH_PAUSE_MS));
    loop {
        pause.tick().await;
        if let Some(reason) = store.health().poisoned {
            tracing::error!(reason, "a write to disk failed: ending, so that recovery decides");
            return;
        }
    }
}

/// The signals that the server listens to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// Handles signals from now on: the first that asks for the end wakes the answer, the second
    /// ends the process at once. SIGHUP reads again what can be.
    fn watch(mut self, reload: Reload) -> Arc<Notify> {
        let asked = Arc::new(Notify::new());
        let wake = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut ending = false;
            loop {
                let end = tokio::select! {
                    _ = self.terminate.recv() => true,
                    _ = self.interrupt.recv() => true,
                    _ = self.hang_up.recv() => false,
                };
                if !end {
                    reload.run().await;
                } else if ending {
                    std::process::exit(1);
                } else {
                    ending = true;
                    tracing::info!("asked to end: waiting for requests under way");
                    wake.notify_one();
                }
            }
        });
        asked
    }
}
