//! Dispatcher: runs a task per target and deletes old deliveries. Events are sent in the format of
//! Standard Webhooks.
//!
//! **Invariants**
//! - Delivery is at least once: the outbox changes only when the outcome of an attempt is recorded.
//!   After a crash an event is sent again under the same id.
//! - Each target has its own task, connection pool and limit of concurrent attempts, so a slow
//!   target delays no other.
//! - A target without responses gets one event at a time until it responds. This makes no event's
//!   next attempt earlier.
//! - Events of one key are sent to a target one after another: the store returns only the first
//!   event of each key.
//! - A row that is being sent has no lease of its own. The lock on the data folder is the lease of
//!   all rows.
//! - The connected address is the checked one (`client`). Redirects are not followed, and proxies
//!   of the environment are not used.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::Client;
use super::secrets::Secrets;
use super::start_error::StartError;
use super::target::Target;
use crate::config::{Config, Webhook};
use crate::store::{Blocking, Error, Store, TargetState};

/// Interval at which old deliveries and dead events are deleted.
const SWEEP_EVENTS_EVERY: Duration = Duration::from_secs(60 * 60);
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// All targets, before they run.
pub(super) struct Dispatcher {
    targets: Vec<Target>,
    secrets: Secrets,
    store: Store,
    /// Age at which deliveries are deleted.
    log_ms: u64,
    /// Age at which dead events are deleted.
    dead_ms: u64,
}

impl Dispatcher {
    /// A dispatcher for the configured webhooks.
    ///
    /// # Errors
    /// [`StartError::Webhook`] if a `ca-file` cannot be used.
    pub(super) fn new(config: &Config, store: &Store) -> Result<Self, StartError> {
        let secrets = Secrets::new(&config.webhooks);
        let target = |webhook: &Webhook| -> Result<Target, StartError> {
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

    /// The signing keys, shared with the targets.
    pub(super) fn secrets(&self) -> Secrets {
        self.secrets.clone()
    }

    /// Sends events until `stopped` is true.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let Self { targets, secrets: _, store, log_ms, dead_ms } = self;
        log_alarms(&store);
        let mut tasks = JoinSet::new();
        for target in targets {
            tasks.spawn(target.run(stopped.clone()));
        }
        let mut sweep = tokio::time::interval(SWEEP_EVENTS_EVERY);
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stopped| *stopped) => break,
                _ = sweep.tick() => {
                    // A clock that is ahead makes everything old.
                    if !store.is_clock_settled() {
                        continue;
                    }
                    let (store, now) = (store.clone(), store.now());
                    let (deliveries, dead) = (now.minus_millis(log_ms), now.minus_millis(dead_ms));
                    let sweep = store.sweep_events(deliveries, dead);
                    drop(tokio::task::spawn_blocking(move || delete_old(sweep)));
                }
            }
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Deletes old events.
#[expect(clippy::disallowed_methods, reason = "it is run on the blocking pool")]
fn delete_old(sweep: Blocking<u64>) {
    match sweep.run() {
        Ok(_) | Err(Error::Closed) => {}
        Err(error) => tracing::error!(%error, "old events cannot be deleted"),
    }
}

/// Logs the alarms of all webhooks, once at the start.
#[expect(clippy::disallowed_methods, reason = "a few rows, and nothing else runs yet")]
fn log_alarms(store: &Store) {
    match store.event_targets().run() {
        Ok(states) => {
            for alarm in states.iter().filter_map(TargetState::alarm) {
                tracing::warn!(alarm, "webhooks");
            }
        }
        // Another step of the start failed and reports its own error.
        Err(Error::Closed) => {}
        Err(error) => tracing::error!(%error, "the state of webhooks cannot be read"),
    }
}
