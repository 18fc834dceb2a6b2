//! The targets of events in memory: how much may wait for each, and the bell of whoever sends.
//!
//! **Invariant:** a target's bell rings after the COMMIT of what it tells of, never before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::directory::Effect;
use super::records::EventTarget;

/// Events that may wait for a target that the configuration does not name (any more): whoever took
/// it out by mistake loses nothing.
const UNKNOWN_BACKLOG_MAX: u64 = 10_000;

/// All of them.
pub(crate) struct Targets {
    backlogs: HashMap<String, u64>,
    bells: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Targets {
    pub(crate) fn new(targets: &[EventTarget]) -> Self {
        let backlogs = targets.iter().map(|target| (target.name.clone(), target.backlog_max));
        Self { backlogs: backlogs.collect(), bells: Mutex::default() }
    }

    /// Whether the configuration names it.
    pub(crate) fn is_known(&self, target: &str) -> bool {
        self.backlogs.contains_key(target)
    }

    /// How many events may wait for it.
    pub(crate) fn backlog_max(&self, target: &str) -> u64 {
        self.backlogs.get(target).copied().unwrap_or(UNKNOWN_BACKLOG_MAX)
    }

    /// What wakes the one who sends to it. A ring that nobody waits for is kept, once.
    pub(crate) fn bell(&self, target: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(target.to_owned()).or_default())
    }

    /// Tells of what was committed.
    pub(crate) fn hear(&self, effect: &Effect) {
        match effect {
            Effect::EventWaits(target) => self.bell(target).notify_one(),
            Effect::EventGap(target) => {
                let max = self.backlog_max(target);
                tracing::error!(
                    %target,
                    max,
                    "the backlog of a webhook is full: new events are only counted"
                );
            }
            _ => {}
        }
    }
}
