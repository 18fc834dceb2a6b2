//! Sends the rows of the outbox to their targets, as Standard Webhooks has it.
//!
//! **Invariants**
//! - A row is settled by what came of a try, and by nothing else. A process that dies in between
//!   has changed nothing: the next one sends the row again (at least once, under the same id).
//! - Each target has a task, a pool of connections and a number of tries under way of its own: one
//!   that hangs, fails or is gone holds up no other.
//! - A target that does not answer at all is tried with one event at a time until it does. No
//!   event's next try comes earlier for that.
//! - Of one key there is one event on its way to a target: the store gives the first of each lane.
//! - No lease is written for a row that is sent: the lock on the data folder is the lease of them
//!   all, and a transaction less for each event.
//! - The address that is called is the one that was checked ([`client`]); redirects are not
//!   followed, proxies of the environment not asked.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::StartError;
use super::client::Client;
pub use super::secrets::{Replaced, Secrets};
use super::target::Target;
use crate::clock;
use crate::config::Config;
use crate::store::{Error, Store};

/// How often what is too old is forgotten.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// All targets.
pub(crate) struct Webhooks {
    targets: Vec<Target>,
    secrets: Secrets,
    store: Store,
    log_ms: u64,
    dead_ms: u64,
}

impl Webhooks {
    pub(crate) fn new(config: &Config, store: &Store) -> Result<Self, StartError> {
        let secrets = Secrets::new(&config.webhooks);
        let target = |webhook: &crate::config::Webhook| -> Result<Target, StartError> {
            let client = Client::new(webhook).map_err(|problem| StartError::Webhook {
                name: webhook.name.clone(),
                setting: "ca-file",
                problem,
            })?;
            Ok(Target::new(webhook.clone(), client, secrets.clone(), store.clone()))
        };
        Ok(Self {
            targets: config.webhooks.iter().map(target).collect::<Result<_, _>>()?,
            secrets,
            store: store.clone(),
            log_ms: config.webhook_log_days * DAY_MS,
            dead_ms: config.webhook_dead_days * DAY_MS,
        })
    }

    /// What signs, to be changed while it runs.
    pub(crate) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Sends until it is told to stop.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let Self { targets, secrets: _, store, log_ms, dead_ms } = self;
        tell_alarms(&store);
        let mut tasks = JoinSet::new();
        for target in targets {
            tasks.spawn(target.run(stopped.clone()));
        }
        let mut sweep = tokio::time::interval(SWEEP_EVERY);
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                _ = sweep.tick() => {
                    let (store, now) = (store.clone(), clock::now());
                    let (tries, dead) = (now.minus_millis(log_ms), now.minus_millis(dead_ms));
                    // It waits for the writer, so not on this thread.
                    drop(tokio::task::spawn_blocking(move || {
                        match store.sweep_events(tries, dead) {
                            Ok(_) | Err(Error::Closed) => {}
                            Err(error) => tracing::error!(%error, "old events cannot be swept"),
                        }
                    }));
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// What an operator should look at, said once at the start.
fn tell_alarms(store: &Store) {
    match store.event_targets() {
        Ok(states) => {
            for alarm in states.iter().filter_map(crate::store::TargetState::alarm) {
                tracing::warn!(alarm, "webhooks");
            }
        }
        // The start failed elsewhere, and says so itself.
        Err(Error::Closed) => {}
        Err(error) => tracing::error!(%error, "the state of webhooks cannot be read"),
    }
}
