//! The targets of events in memory: how much may wait for each, and the bell of whoever sends.
//!
//! **Invariant:** a target's bell rings after the COMMIT of what it tells of, never before.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::directory::Effect;
use crate::store::records::options::EventTarget;

/// Events that may wait for a target that the configuration does not name (any more): whoever took
/// it out by mistake loses nothing.
const UNKNOWN_BACKLOG_MAX: u64 = 10_000;

/// Events of one key that may wait for a target: a share of its backlog, so that who may write one
/// key takes nothing from the others. Not fewer than the lower bound, for small backlogs; not more
/// than the upper one, for they are counted when one more comes.
const LANE_SHARE: u64 = 16;
const LANE_BOUNDS: (u64, u64) = (16, 1024);

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

    /// How many events of one key may wait for it.
    pub(crate) fn lane_max(&self, target: &str) -> u64 {
        (self.backlog_max(target) / LANE_SHARE).clamp(LANE_BOUNDS.0, LANE_BOUNDS.1)
    }

    /// What wakes the one who sends to it. A ring that nobody waits for is kept, once.
    pub(crate) fn bell(&self, target: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock();
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
                    "events of a webhook are counted and not kept: its backlog is full, for all or \
                     for one key, or too many were given up"
                );
            }
            _ => {}
        }
    }
}
