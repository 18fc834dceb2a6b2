//! `partita serve`: starts a server and runs it until a signal stops it.
//!
//! **Invariants**
//! - Standard output has the start lines and nothing else. The log is on standard error.
//! - The address is taken before anything is created or printed.
//! - A failed write to disk stops the server; the next start recovers.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::{ArgMatches, Command};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use super::arguments::{flag, load};
use super::blocking::blocking;
use super::data_folder::check_owner;
use super::failure::{Failure, Outcome};
use super::reload::Reload;
use super::root;
use crate::admin::health::DURABILITY;
use crate::config::{Config, KeyPair, SETTINGS};
use crate::gateway::Gateway;
use crate::log;
use crate::server::Server;
use crate::store::{self, Store};
use crate::webhooks::WebhookThread;

/// Drain time after a failed write, in milliseconds.
const POISONED_DRAIN_MS: u64 = 5_000;
/// Interval of checks for a failed write, in milliseconds.
const HEALTH_PAUSE_MS: u64 = 500;
/// Longest wait for blocking calls when the runtime stops, in milliseconds.
const RUNTIME_STOP_MS_MAX: u64 = 2_000;

const AFTER_HELP: &str = "\
Every setting can also be given in the environment as PARTITA_<NAME> (upper case, _ for -), or in
the file under its name. A flag wins over the environment, the environment over the file.

Root's credentials come from the environment alone: PARTITA_ROOT_ACCESS_KEY_ID and
PARTITA_ROOT_SECRET_ACCESS_KEY. Without them the first start creates a random pair, keeps it in
the data folder and prints it once.";

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
    // Worker threads of the server serve connections. This runtime accepts them and waits for
    // signals.
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(serve(config, matches));
    runtime.shutdown_timeout(Duration::from_millis(RUNTIME_STOP_MS_MAX));
    // The log is written out before the error of the command is printed.
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
        Some(reason) => Err(Failure::Failed(format!("the store takes no more writes: {reason}"))),
        None => outcome,
    }
}

async fn serve_store(
    config: Arc<Config>,
    matches: &ArgMatches,
    store: Store,
    signals: Signals,
) -> Outcome {
    // First, so that nothing was created or printed if the address is in use.
    let server = Server::bind(&config).await.map_err(Failure::failed)?;
    // Stops by itself if the start fails below.
    let webhooks = WebhookThread::start(&config, &store).map_err(Failure::failed)?;
    let (root_store, data, given) = (store.clone(), config.data.clone(), config.root.clone());
    let created = blocking(move || root::ensure(&root_store, &data, given.as_ref())).await??;
    print_start(&config, &server, created.as_ref());
    let gateway = Gateway::new(Arc::clone(&config), store.clone());
    let served = gateway.clone();
    let handler = move |arrival, request| {
        let gateway = served.clone();
        async move { gateway.serve(arrival, request).await }
    };
    let reload = Reload::new(matches.clone(), server.tls(), webhooks.secrets());
    let stop_requested = signals.watch(reload);
    let drain = config.drain_timeout();
    let stop = async {
        let drain = tokio::select! {
            () = stop_requested.notified() => drain,
            () = poisoned(&store) => drain.min(Duration::from_millis(POISONED_DRAIN_MS)),
        };
        gateway.start_shutdown();
        drain
    };
    if !server.run(handler, stop).await {
        tracing::warn!("requests under way were dropped: the drain time is over");
    }
    blocking(move || webhooks.stop()).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Prints the start lines. A closed standard output does not stop the server.
fn print_start(config: &Config, server: &Server, created: Option<&KeyPair>) {
    let url = server.url();
    let data = std::path::absolute(&config.data).unwrap_or_else(|_| config.data.clone());
    let mut text = format!(
        "partita {}\ndata folder: {}\n{DURABILITY}\n",
        env!("CARGO_PKG_VERSION"),
        data.display()
    );
    if let Some(pair) = created {
        let endpoint = local_url(&url, server.address());
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

/// URL for clients on this machine: `localhost` if the server listens on all addresses.
fn local_url(url: &str, address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => url.replace(&address.to_string(), &format!("localhost:{}", address.port())),
        false => url.to_owned(),
    }
}

fn cannot_open(error: store::Error) -> Failure {
    match error {
        store::Error::Locked { .. } => {
            Failure::Failed(format!("{error}: another server uses this data folder"))
        }
        other => Failure::failed(other),
    }
}

/// Returns when a write to disk has failed, or the data folder was changed under the server.
async fn poisoned(store: &Store) {
    let mut pause = tokio::time::interval(Duration::from_millis(HEALTH_PAUSE_MS));
    loop {
        pause.tick().await;
        if let Some(reason) = store.health().poisoned {
            tracing::error!(
                reason,
                "the store takes no more writes: stopping, the next start recovers"
            );
            return;
        }
    }
}

/// Signals that the server handles.
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

    /// Handles signals from now on. The first SIGTERM or SIGINT notifies the returned handle, the
    /// second exits at once. SIGHUP reloads certificate and secrets.
    fn watch(mut self, reload: Reload) -> Arc<Notify> {
        let stop_requested = Arc::new(Notify::new());
        let wake = Arc::clone(&stop_requested);
        tokio::spawn(async move {
            let mut is_stopping = false;
            loop {
                let is_stop = tokio::select! {
                    _ = self.terminate.recv() => true,
                    _ = self.interrupt.recv() => true,
                    _ = self.hang_up.recv() => false,
                };
                if !is_stop {
                    reload.run().await;
                } else if is_stopping {
                    std::process::exit(1);
                } else {
                    is_stopping = true;
                    tracing::info!("stopping: waiting for requests under way");
                    wake.notify_one();
                }
            }
        });
        stop_requested
    }
}
