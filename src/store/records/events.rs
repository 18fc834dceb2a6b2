//! Events, attempts and targets: arguments and results.

use std::sync::Arc;

use crate::access::{Origin, Permit, Right, User};
use crate::events::EventName;
use crate::types::{MessageId, Timestamp};

/// An event that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEvent {
    /// Id of the row.
    pub id: i64,
    /// Message id, known to the receiver.
    pub message: MessageId,
    /// Attempts before this one.
    pub attempts: u32,
    /// The bytes to be sent.
    pub body: Vec<u8>,
}

/// Events due for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueEvents {
    /// The first of them, the longest due first.
    pub events: Vec<DueEvent>,
    /// Time at which the next event is due; may be in the past.
    pub next: Option<Timestamp>,
    /// Why nothing is to be sent at all, if so.
    pub disabled: Option<String>,
}

/// Attempt to deliver an event.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The event's row.
    pub id: i64,
    /// Time of its start.
    pub at: Timestamp,
    /// Duration in milliseconds.
    pub millis: u64,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The beginning of the answer's body, or why there is none.
    pub reply: Vec<u8>,
    /// Outcome for the event.
    pub outcome: Outcome,
}

/// Outcome of an attempt for the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target has taken it.
    Delivered,
    /// It is sent again at this time.
    RetryAt(Timestamp),
    /// It has failed too often.
    Dead,
    /// The target rejects all events; the event waits until it is enabled.
    Disabled(String),
}

/// Attempt in the delivery log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // As in [`Attempt`] and the event itself.
pub struct Delivery {
    pub message: MessageId,
    pub event: EventName,
    pub bucket: String,
    pub key: String,
    /// 1 for the first.
    pub attempt: u32,
    pub at: Timestamp,
    pub status: Option<u16>,
    pub millis: u64,
    pub reply: Vec<u8>,
}

/// State of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// Its name.
    pub name: String,
    /// True if the configuration names it.
    pub configured: bool,
    /// Events that wait.
    pub backlog: u64,
    /// Events that may wait.
    pub backlog_max: u64,
    /// Events that were given up.
    pub dead: u64,
    /// Events that the backlog has no room for since `dropped_since`.
    pub dropped_count: u64,
    /// Time of the first dropped event.
    pub dropped_since: Option<Timestamp>,
    /// Why nothing is sent, if so.
    pub disabled: Option<String>,
    /// Time at which the next event is due.
    pub next_at: Option<Timestamp>,
    /// The last try.
    pub last: Option<Delivery>,
}

impl TargetState {
    /// Alarm for operators, in one line.
    pub fn alarm(&self) -> Option<String> {
        let name = &self.name;
        if let Some(why) = &self.disabled {
            return Some(format!("webhook {name} is disabled: {why}"));
        }
        if self.dropped_count > 0 {
            let count = self.dropped_count;
            return Some(format!(
                "webhook {name}: the backlog is full, for all or for one key, {count} events are missing"
            ));
        }
        if !self.configured {
            return Some(format!("webhook {name} has events, but the configuration lacks it"));
        }
        (self.dead > 0).then(|| format!("webhook {name}: {} events were given up", self.dead))
    }
}

/// User and request that caused a change.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cause {
    /// `None` for what the server does by itself.
    pub(crate) user: Option<Arc<User>>,
    pub(crate) origin: Option<Arc<Origin>>,
}

impl Cause {
    pub(crate) fn of<R: Right>(permit: &Permit<R>) -> Self {
        Self { user: Some(Arc::clone(permit.user())), origin: permit.origin().cloned() }
    }
}
