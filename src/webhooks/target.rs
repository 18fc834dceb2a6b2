//! One target: reads due events, sends them, and records each attempt.
//!
//! **Invariants**
//! - An event under way is not sent a second time before its outcome is recorded.
//! - Failures are logged on change: the first failure, the first success, and every lost event.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, header};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::client::{Client, Reply};
use super::schedule::{self, Answered};
use super::secrets::Secrets;
use super::sign::signature;
use crate::config::Webhook;
use crate::store::{Attempt, DueEvent, DueEvents, Error, Outcome, Store};
use crate::types::Timestamp;

/// Longest sleep, in milliseconds. A clock that was set is noticed after it.
const SLEEP_MS_MAX: u64 = 60_000;
/// Pause after a verb of the store failed.
const STORE_ERROR_PAUSE: Duration = Duration::from_millis(500);
/// Attempts in a row without a response, after which one event at a time is sent.
const UNANSWERED_ATTEMPTS_MAX: u32 = 5;
/// Time for attempts under way when deliveries stop. Unfinished ones are repeated after the next
/// start.
const STOP_TIMEOUT: Duration = Duration::from_millis(1_000);

/// Target of events. Cheap to clone; every clone is the same target.
#[derive(Clone)]
pub(crate) struct Target {
    webhook: Arc<Webhook>,
    client: Client,
    secrets: Secrets,
    store: Store,
    /// True if the last attempt failed.
    failing: Arc<AtomicBool>,
    /// Attempts in a row without a response.
    unanswered: Arc<AtomicU32>,
}

impl Target {
    pub(super) fn new(webhook: Webhook, client: Client, secrets: Secrets, store: Store) -> Self {
        let webhook = Arc::new(webhook);
        let (failing, unanswered) = <(Arc<AtomicBool>, Arc<AtomicU32>)>::default();
        Self { webhook, client, secrets, store, failing, unanswered }
    }

    /// Sends events until `stopped` is true.
    pub(super) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let due_signal = self.store.event_signal(&self.webhook.name);
        let mut under_way: HashSet<i64> = HashSet::new();
        let mut attempts: JoinSet<i64> = JoinSet::new();
        loop {
            let due = match self.due(&under_way).await {
                Ok(due) => due,
                Err(Error::Closed | Error::Poisoned) => break,
                Err(error) => {
                    let webhook = &self.webhook.name;
                    tracing::error!(webhook, %error, "due events cannot be read");
                    tokio::time::sleep(STORE_ERROR_PAUSE).await;
                    continue;
                }
            };
            for event in due.events {
                under_way.insert(event.id);
                let this = self.clone();
                attempts.spawn(async move { this.send(event).await });
            }
            let is_full = under_way.len() >= self.concurrency();
            let sleep = due.next.map_or(SLEEP_MS_MAX, |next| {
                next.millis().saturating_sub(self.store.now().millis()).min(SLEEP_MS_MAX)
            });
            tokio::select! {
                Some(done) = attempts.join_next() => match done {
                    Ok(id) => drop(under_way.remove(&id)),
                    Err(error) => {
                        // The event of a panicked attempt is unknown. It is read again when no
                        // attempt is left.
                        tracing::error!(%error, "an attempt to send an event panicked");
                        if attempts.is_empty() { under_way.clear(); }
                    }
                },
                () = due_signal.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(sleep)), if !is_full => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
        let _ = tokio::time::timeout(STOP_TIMEOUT, async {
            while attempts.join_next().await.is_some() {}
        })
        .await;
    }

    /// Most concurrent attempts. While the target does not respond it is one: that attempt finds
    /// out when the target is back, and the other events wait for it instead of for their timeouts.
    fn concurrency(&self) -> usize {
        match self.unanswered.load(Ordering::Relaxed) < UNANSWERED_ATTEMPTS_MAX {
            true => self.webhook.concurrency_max,
            false => 1,
        }
    }

    /// Events that are due, as many as may be sent now.
    #[expect(clippy::disallowed_methods, reason = "it is run on the blocking pool")]
    async fn due(&self, under_way: &HashSet<i64>) -> Result<DueEvents, Error> {
        let room = self.concurrency().saturating_sub(under_way.len());
        if room == 0 {
            return Ok(DueEvents::default());
        }
        let (name, now) = (&self.webhook.name, self.store.now());
        let due = self.store.due_events(name, now, room, under_way.clone());
        match tokio::task::spawn_blocking(|| due.run()).await {
            Ok(due) => due,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            // The runtime of the webhooks ends.
            Err(_) => Err(Error::Closed),
        }
    }

    /// Makes and records one attempt. Gives the id of the row.
    async fn send(self, event: DueEvent) -> i64 {
        let (at, started) = (self.store.now(), Instant::now());
        let limit = Duration::from_millis(self.webhook.timeout_ms);
        let posted = self.client.post(&self.webhook.url, self.headers(&event), event.body.clone());
        let answer = tokio::time::timeout(limit, posted).await;
        let answer = answer.unwrap_or_else(|_| Err("it did not answer in time".into()));
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answered = answer.as_ref().ok().map(|reply| answered(reply, self.store.now()));
        let outcome = schedule::outcome(
            answered,
            event.attempts,
            &self.webhook.retry_ms,
            event.message,
            self.store.now(),
        );
        self.count(answered.is_some());
        self.log_change(&answer, &outcome);
        let reply = match answer {
            Ok(reply) => reply.body,
            Err(problem) => problem.into_bytes(),
        };
        let status = answered.map(|answered| answered.status);
        let attempt = Attempt { id: event.id, at, millis, status, reply, outcome };
        self.record(attempt).await;
        event.id
    }

    fn headers(&self, event: &DueEvent) -> HeaderMap {
        let id = format!("msg_{}", event.message);
        let seconds = self.store.now().seconds();
        let signature = signature(&self.secrets.of(&self.webhook.name), &id, seconds, &event.body);
        let value = |text: String| {
            HeaderValue::from_str(&text).expect("the configuration allows only ASCII")
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("Partita/", env!("CARGO_PKG_VERSION"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(agent));
        headers.insert("webhook-id", value(id));
        headers.insert("webhook-timestamp", value(seconds.to_string()));
        headers.insert("webhook-signature", value(signature));
        if let Some(token) = &self.webhook.token {
            headers.insert(header::AUTHORIZATION, value(format!("Bearer {token}")));
        }
        headers
    }

    /// Records an attempt. Repeats until it succeeds; the event is not sent again meanwhile.
    async fn record(&self, attempt: Attempt) {
        loop {
            match self.store.finish_delivery(attempt.clone()).await {
                Ok(()) | Err(Error::Closed | Error::Poisoned) => return,
                Err(error) => {
                    let webhook = &self.webhook.name;
                    tracing::warn!(webhook, %error, "an attempt cannot be recorded yet");
                    tokio::time::sleep(STORE_ERROR_PAUSE).await;
                }
            }
        }
    }

    /// Counts attempts in a row without a response. Any status is a response.
    fn count(&self, is_answered: bool) {
        if is_answered {
            self.unanswered.store(0, Ordering::Relaxed);
        } else if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 == UNANSWERED_ATTEMPTS_MAX {
            let webhook = &self.webhook.name;
            tracing::warn!(webhook, "a webhook does not respond: one event at a time is sent");
        }
    }

    /// Logs an attempt that changes the state of the target, and every event that is lost.
    fn log_change(&self, answer: &Result<Reply, String>, outcome: &Outcome) {
        let name = &self.webhook.name;
        let failed = *outcome != Outcome::Delivered;
        let before = self.failing.swap(failed, Ordering::Relaxed);
        let problem = || match answer {
            Ok(reply) => format!("it responded with {}", reply.status),
            Err(problem) => problem.clone(),
        };
        match outcome {
            Outcome::Delivered if before => {
                tracing::info!(webhook = name, "a webhook accepts events again")
            }
            Outcome::RetryAt(_) if !before => {
                tracing::warn!(
                    webhook = name,
                    problem = problem(),
                    "a webhook does not accept events"
                );
            }
            Outcome::Dead => {
                tracing::error!(
                    webhook = name,
                    problem = problem(),
                    "an event is dead: all attempts failed"
                )
            }
            Outcome::Disabled(why) => tracing::error!(webhook = name, why, "a webhook is disabled"),
            Outcome::Delivered | Outcome::RetryAt(_) => {}
        }
    }
}

fn answered(reply: &Reply, now: Timestamp) -> Answered {
    let value = reply.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_ms = value.and_then(|value| schedule::retry_after(value, now));
    Answered { status: reply.status, retry_after_ms }
}
