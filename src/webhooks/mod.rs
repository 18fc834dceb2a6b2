//! Background work that is neither a request nor the store's own: today, sending events.
//!
//! **Invariants**
//! - Worker use the store's verbs and nothing else of it; what they must not forget is a row.
//! - They have a thread and a runtime of their own: no request waits for one, and no connection to
//!   the outside is made anywhere else.

pub(crate) mod addresses;
pub(crate) mod client;
pub(crate) mod schedule;
pub(crate) mod secrets;
pub(crate) mod sender;
pub(crate) mod sign;
pub(crate) mod target;

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::watch;

use crate::config::Config;
use crate::store::Store;
pub use sender::{Replaced, Secrets};

/// Time for what hangs on a blocking call, such as a lookup of a name, when all else has ended.
const END_MS_MAX: u64 = 100;
/// Threads that look up names.
const BLOCKING_THREADS_MAX: usize = 64;

/// Why the workers cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A target's setting cannot be used.
    #[error("setting {setting} of [webhook.{name}]: {problem}")]
    Webhook {
        /// The target.
        name: String,
        /// Which setting.
        setting: &'static str,
        /// What is wrong.
        problem: String,
    },
    /// The system has no thread to give.
    #[error("cannot start the workers: {0}")]
    Thread(#[from] io::Error),
}

/// The workers, at work.
pub struct Worker {
    secrets: Secrets,
    stop: watch::Sender<bool>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts them.
    ///
    /// # Errors
    /// [`StartError::Webhook`] when the authorities that a target names cannot be read.
    pub fn start(config: &Config, store: &Store) -> Result<Self, StartError> {
        let webhooks = sender::Webhooks::new(config, store)?;
        let secrets = webhooks.secrets();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS_MAX)
            .thread_name("partita-lookup")
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let work = move || {
            runtime.block_on(webhooks.run(stopped));
            runtime.shutdown_timeout(Duration::from_millis(END_MS_MAX));
        };
        let thread = std::thread::Builder::new().name("partita-webhooks".into()).spawn(work)?;
        Ok(Self { secrets, stop, thread })
    }

    /// What signs the events, to be read again while the workers run.
    pub fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Ends them; what is under way has a moment. Blocking.
    pub fn end(self) {
        self.stop.send_replace(true);
        if self.thread.join().is_err() {
            tracing::error!("the workers panicked");
        }
    }
}
