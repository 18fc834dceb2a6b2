//! Thread of the deliveries, with a runtime of its own.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;

use super::dispatcher::Dispatcher;
use super::secrets::Secrets;
use super::start_error::StartError;
use crate::config::Config;
use crate::store::Store;

/// Longest wait for blocking calls, such as a name lookup, when the thread stops, in milliseconds.
const WEBHOOKS_STOP_MS_MAX: u64 = 100;
/// Threads for name lookups.
const BLOCKING_THREADS_MAX: usize = 64;

/// Running thread that delivers events.
pub struct WebhookThread {
    secrets: Secrets,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl WebhookThread {
    /// Starts deliveries to the configured webhooks.
    ///
    /// # Errors
    /// [`StartError::Webhook`] if a `ca-file` cannot be used; [`StartError::Thread`].
    pub fn start(config: &Config, store: &Store) -> Result<Self, StartError> {
        let dispatcher = Dispatcher::new(config, store)?;
        let secrets = dispatcher.secrets();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("partita-lookup")
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let work = move || {
            runtime.block_on(dispatcher.run(stopped));
            runtime.shutdown_timeout(Duration::from_millis(WEBHOOKS_STOP_MS_MAX));
        };
        let thread = std::thread::Builder::new().name("partita-webhooks".into()).spawn(work)?;
        Ok(Self { secrets, stop, thread })
    }

    /// The signing keys, which can be replaced while the thread runs.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Stops deliveries. Attempts under way have about a second to end. Blocking.
    pub fn stop(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the webhook thread panicked");
        }
    }
}
