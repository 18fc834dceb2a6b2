//! Targets of events in memory: the limits of each, and the signal to its sender.
//!
//! **Invariant:** a target is notified after the COMMIT of its event, never before.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::directory::Effect;
use crate::store::records::options::EventTarget;

/// Backlog of a target that the configuration does not name: removed by mistake, it loses nothing.
const UNKNOWN_BACKLOG_MAX: u64 = 10_000;

/// Part of a target's backlog that events of one key may fill, so that a writer of one key takes
/// nothing from the others. Clamped: not too few for small backlogs, and not too many, for they are
/// counted when one more comes.
const ORDERING_KEY_SHARE: u64 = 16;
const ORDERING_KEY_BOUNDS: (u64, u64) = (16, 1024);

/// Targets of events.
pub(crate) struct Targets {
    backlogs: HashMap<String, u64>,
    signals: Mutex<HashMap<String, Arc<Notify>>>,
}

impl Targets {
    pub(crate) fn new(targets: &[EventTarget]) -> Self {
        let backlogs = targets.iter().map(|target| (target.name.clone(), target.backlog_max));
        Self { backlogs: backlogs.collect(), signals: Mutex::default() }
    }

    /// True if the configuration names it.
    pub(crate) fn is_known(&self, target: &str) -> bool {
        self.backlogs.contains_key(target)
    }

    /// Events that may wait for it.
    pub(crate) fn backlog_max(&self, target: &str) -> u64 {
        self.backlogs.get(target).copied().unwrap_or(UNKNOWN_BACKLOG_MAX)
    }

    /// Events of one key that may wait for it.
    pub(crate) fn ordering_key_max(&self, target: &str) -> u64 {
        (self.backlog_max(target) / ORDERING_KEY_SHARE)
            .clamp(ORDERING_KEY_BOUNDS.0, ORDERING_KEY_BOUNDS.1)
    }

    /// Signal to the sender of a target. It remembers one notification.
    pub(crate) fn signal(&self, target: &str) -> Arc<Notify> {
        let mut signals = self.signals.lock();
        Arc::clone(signals.entry(target.to_owned()).or_default())
    }

    /// Notifies the sender of a target of a committed effect.
    pub(crate) fn notify(&self, effect: &Effect) {
        match effect {
            Effect::EventQueued(target) => self.signal(target).notify_one(),
            Effect::EventsDropped(target) => {
                let max = self.backlog_max(target);
                tracing::error!(
                    %target,
                    max,
                    "events of a webhook are counted and not kept: its backlog is full, for all or \
                     for one key, or too many were given up"
                );
            }
            _ => {}
        }
    }
}
