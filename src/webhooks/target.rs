//! One target: takes what is due, sends it, writes down what came of it.

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
use crate::clock;
use crate::config::Webhook;
use crate::store::{Attempt, DueEvent, DueEvents, Error, Outcome, Store};

/// Longest sleep: a clock that was set is noticed after it.
const SLEEP_MS_MAX: u64 = 60_000;
/// Pause after the store could not be asked or told.
const TROUBLE_PAUSE: Duration = Duration::from_millis(500);
/// Tries in a row without any answer, after which one event at a time is tried.
const UNANSWERED_MAX: u32 = 5;
/// Time for tries under way at the end; what is cut is sent again by the next start.
const END_PAUSE: Duration = Duration::from_millis(1_000);

/// A target. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Target {
    webhook: Arc<Webhook>,
    client: Client,
    secrets: Secrets,
    store: Store,
    /// Whether the last try failed: the first failure and the first success are logged.
    failing: Arc<AtomicBool>,
    /// Tries in a row that had no answer.
    unanswered: Arc<AtomicU32>,
}

impl Target {
    pub(crate) fn new(webhook: Webhook, client: Client, secrets: Secrets, store: Store) -> Self {
        let webhook = Arc::new(webhook);
        let (failing, unanswered) = <(Arc<AtomicBool>, Arc<AtomicU32>)>::default();
        Self { webhook, client, secrets, store, failing, unanswered }
    }

    /// Sends until it is told to stop.
    pub(crate) async fn run(self, mut stopped: watch::Receiver<bool>) {
        let bell = self.store.event_signal(&self.webhook.name);
        let mut under_way: HashSet<i64> = HashSet::new();
        let mut tries: JoinSet<i64> = JoinSet::new();
        loop {
            let due = match self.due(&under_way) {
                Ok(due) => due,
                Err(Error::Closed | Error::Poisoned) => break,
                Err(error) => {
                    tracing::error!(webhook = self.webhook.name, %error, "events cannot be read");
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                    continue;
                }
            };
            for event in due.events {
                under_way.insert(event.id);
                let this = self.clone();
                tries.spawn(async move { this.send(event).await });
            }
            let is_full = under_way.len() >= self.width();
            let sleep = due.next.map_or(SLEEP_MS_MAX, |next| {
                next.millis().saturating_sub(clock::now().millis()).min(SLEEP_MS_MAX)
            });
            tokio::select! {
                Some(done) = tries.join_next() => match done {
                    Ok(id) => drop(under_way.remove(&id)),
                    Err(error) => {
                        // Whose it was is not known: all are looked at anew when none is left.
                        tracing::error!(%error, "a try to send an event broke off");
                        if tries.is_empty() { under_way.clear(); }
                    }
                },
                () = bell.notified() => {}
                () = tokio::time::sleep(Duration::from_millis(sleep)), if !is_full => {}
                _ = stopped.wait_for(|stopped| *stopped) => break,
            }
        }
        let _ =
            tokio::time::timeout(END_PAUSE, async { while tries.join_next().await.is_some() {} })
                .await;
    }

    /// Events that may be on their way at once: one, while nobody answers. It finds out when
    /// somebody does, and the others wait for that instead of their timeouts.
    fn width(&self) -> usize {
        match self.unanswered.load(Ordering::Relaxed) < UNANSWERED_MAX {
            true => self.webhook.concurrency_max,
            false => 1,
        }
    }

    /// What can be sent now, as far as there is room.
    fn due(&self, under_way: &HashSet<i64>) -> Result<DueEvents, Error> {
        let room = self.width().saturating_sub(under_way.len());
        if room == 0 {
            return Ok(DueEvents::default());
        }
        let is_under_way = |id| under_way.contains(&id);
        self.store.due_events(&self.webhook.name, clock::now(), room, is_under_way)
    }

    /// One try of one event, written down; gives its row.
    async fn send(self, event: DueEvent) -> i64 {
        let (at, started) = (clock::now(), Instant::now());
        let limit = Duration::from_millis(self.webhook.timeout_ms);
        let posted = self.client.post(&self.webhook.url, self.headers(&event), event.body.clone());
        let answer = tokio::time::timeout(limit, posted).await;
        let answer = answer.unwrap_or_else(|_| Err("it did not answer in time".into()));
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answered = answer.as_ref().ok().map(answered);
        let fate = schedule::fate(
            answered,
            event.attempts,
            &self.webhook.retry_ms,
            event.message,
            clock::now(),
        );
        self.count(answered.is_some());
        self.tell(&answer, &fate);
        let reply = match answer {
            Ok(reply) => reply.body,
            Err(problem) => problem.into_bytes(),
        };
        let status = answered.map(|answered| answered.status);
        self.settle(Attempt { id: event.id, at, millis, status, reply, outcome: fate }).await;
        event.id
    }

    fn headers(&self, event: &DueEvent) -> HeaderMap {
        let id = format!("msg_{}", event.message);
        let seconds = clock::now().seconds();
        let signature = signature(&self.secrets.of(&self.webhook.name), &id, seconds, &event.body);
        let value = |text: String| {
            HeaderValue::from_str(&text).expect("ASCII, as the configuration was checked")
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

    /// Writes a try down, however long that takes: the event is not sent again meanwhile.
    async fn settle(&self, tried: Attempt) {
        loop {
            match self.store.finish_delivery(tried.clone()).await {
                Ok(()) | Err(Error::Closed | Error::Poisoned) => return,
                Err(error) => {
                    tracing::warn!(webhook = self.webhook.name, %error, "a try is not written yet");
                    tokio::time::sleep(TROUBLE_PAUSE).await;
                }
            }
        }
    }

    /// Counts the tries in a row that had no answer; any status is one.
    fn count(&self, is_answered: bool) {
        if is_answered {
            self.unanswered.store(0, Ordering::Relaxed);
        } else if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 == UNANSWERED_MAX {
            let webhook = &self.webhook.name;
            tracing::warn!(webhook, "a webhook does not answer: one event at a time is tried");
        }
    }

    /// Logs what an operator wants to know: not each try, but each change.
    fn tell(&self, answer: &Result<Reply, String>, fate: &Outcome) {
        let name = &self.webhook.name;
        let failed = *fate != Outcome::Delivered;
        let before = self.failing.swap(failed, Ordering::Relaxed);
        let problem = || match answer {
            Ok(reply) => format!("it answered {}", reply.status),
            Err(problem) => problem.clone(),
        };
        match fate {
            Outcome::Delivered if before => {
                tracing::info!(webhook = name, "a webhook takes events again")
            }
            Outcome::RetryAt(_) if !before => {
                tracing::warn!(
                    webhook = name,
                    problem = problem(),
                    "a webhook does not take events"
                );
            }
            Outcome::Dead => {
                tracing::error!(webhook = name, problem = problem(), "an event is given up")
            }
            Outcome::Disabled(why) => tracing::error!(webhook = name, why, "a webhook is disabled"),
            Outcome::Delivered | Outcome::RetryAt(_) => {}
        }
    }
}

fn answered(reply: &Reply) -> Answered {
    let value = reply.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after_ms = value.and_then(|value| schedule::retry_after(value, clock::now()));
    Answered { status: reply.status, retry_after_ms }
}
