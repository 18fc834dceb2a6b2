//! What the verbs on events take and give.

use std::sync::Arc;

use crate::access::{Origin, Permit, Right, User};
use crate::events::EventName;
use crate::types::{MessageId, Timestamp};

/// An event that is to be sent now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEvent {
    /// Its row.
    pub id: i64,
    /// What the receiver knows it by.
    pub message: MessageId,
    /// Tries before this one.
    pub attempts: u32,
    /// The bytes to be sent.
    pub body: Vec<u8>,
}

/// What is due for a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueEvents {
    /// The first of them, the longest due first.
    pub events: Vec<DueEvent>,
    /// When there is more to be sent: may be in the past.
    pub next: Option<Timestamp>,
    /// Why nothing is to be sent at all, if so.
    pub disabled: Option<String>,
}

/// One try to send an event.
#[derive(Clone, Debug)]
pub struct Try {
    /// The event's row.
    pub id: i64,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub millis: u64,
    /// The status of the answer, if there was one.
    pub status: Option<u16>,
    /// The beginning of the answer's body, or why there is none.
    pub reply: Vec<u8>,
    /// What becomes of the event.
    pub fate: Fate,
}

/// What becomes of an event after a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The target has taken it.
    Taken,
    /// It is tried again at this time.
    Again(Timestamp),
    /// It was tried often enough.
    Dead,
    /// The target wants nothing any more; the event waits for somebody to enable it.
    Disabled(String),
}

/// A try as the log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // As in [`Try`] and the event itself.
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

/// How a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetState {
    /// Its name.
    pub name: String,
    /// Whether the configuration names it.
    pub configured: bool,
    /// Events that wait.
    pub backlog: u64,
    /// How many may.
    pub backlog_max: u64,
    /// Events that were given up.
    pub dead: u64,
    /// Events that the backlog has no room for since `gap_first`.
    pub gap_count: u64,
    /// When the backlog became full.
    pub gap_first: Option<Timestamp>,
    /// Why nothing is sent, if so.
    pub disabled: Option<String>,
    /// When the next event is to be sent.
    pub next_at: Option<Timestamp>,
    /// The last try.
    pub last: Option<Delivery>,
}

impl TargetState {
    /// What an operator should know, in one line.
    pub fn alarm(&self) -> Option<String> {
        let name = &self.name;
        if let Some(why) = &self.disabled {
            return Some(format!("webhook {name} is disabled: {why}"));
        }
        if self.gap_count > 0 {
            let count = self.gap_count;
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

/// Who asked for a change.
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
