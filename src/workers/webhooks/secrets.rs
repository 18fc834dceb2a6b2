//! The keys that sign the events of each target. The operator may change them while all runs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Webhook;

/// The keys of one target, the newest first.
type Keys = Arc<[Vec<u8>]>;

/// The keys of all targets. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<HashMap<String, Mutex<Keys>>>);

/// What new keys changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Targets that have other keys now.
    pub changed: Vec<String>,
    /// Targets that only one of both knows, those at work or those given: they stay as they are.
    pub strange: Vec<String>,
}

impl Secrets {
    pub(super) fn new(webhooks: &[Webhook]) -> Self {
        let keys = |of: &Webhook| (of.name.clone(), Mutex::new(of.secrets.clone().into()));
        Self(Arc::new(webhooks.iter().map(keys).collect()))
    }

    /// The keys of a target now.
    pub(super) fn of(&self, target: &str) -> Keys {
        let keys = self.0.get(target).expect("targets are those that the keys were made for");
        Arc::clone(&keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has each target sign with these keys from its next try on. Nothing else is taken.
    pub fn replace(&self, webhooks: &[Webhook]) -> Replaced {
        let mut replaced = Replaced::default();
        for webhook in webhooks {
            let Some(keys) = self.0.get(&webhook.name) else {
                replaced.strange.push(webhook.name.clone());
                continue;
            };
            let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            if **keys != *webhook.secrets {
                *keys = webhook.secrets.clone().into();
                replaced.changed.push(webhook.name.clone());
            }
        }
        let is_given = |name: &&String| webhooks.iter().any(|webhook| webhook.name == **name);
        replaced.strange.extend(self.0.keys().filter(|name| !is_given(name)).cloned());
        replaced.strange.sort_unstable();
        replaced
    }
}
