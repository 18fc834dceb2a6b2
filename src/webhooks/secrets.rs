//! Keys that sign the events of each target. SIGHUP replaces them while events are sent.
//!
//! **Invariant:** keys are used only for the receiver that they were configured with. A webhook
//! with any other changed setting keeps its keys until a restart.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::config::Webhook;

/// Keys of one target, the newest first.
type Keys = Arc<[Vec<u8>]>;

/// Configuration of a running target, and its current keys.
struct TargetKeys {
    webhook: Webhook,
    keys: Mutex<Keys>,
}

/// Keys of all targets. Cheap to clone; every clone is the same keys.
#[derive(Clone)]
pub struct Secrets(Arc<HashMap<String, TargetKeys>>);

/// Result of [`Secrets::replace`]: names of webhooks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SecretsUpdate {
    /// Webhooks with new keys.
    pub changed: Vec<String>,
    /// Webhooks that are only running or only configured. They stay as they are.
    pub unknown: Vec<String>,
    /// Webhooks with other changed settings. They keep their keys.
    pub altered: Vec<String>,
}

impl Secrets {
    pub(super) fn new(webhooks: &[Webhook]) -> Self {
        let entry = |webhook: &Webhook| {
            let keys = Mutex::new(webhook.secrets.clone().into());
            (webhook.name.clone(), TargetKeys { webhook: webhook.clone(), keys })
        };
        Self(Arc::new(webhooks.iter().map(entry).collect()))
    }

    /// The current keys of a target.
    pub(super) fn of(&self, target: &str) -> Keys {
        let entry = self.0.get(target).expect("keys and targets have one configuration");
        Arc::clone(&entry.keys.lock())
    }

    /// Replaces the keys of targets, from their next attempt on. Other settings are not replaced.
    pub fn replace(&self, webhooks: &[Webhook]) -> SecretsUpdate {
        let mut update = SecretsUpdate::default();
        for webhook in webhooks {
            let Some(entry) = self.0.get(&webhook.name) else {
                update.unknown.push(webhook.name.clone());
                continue;
            };
            if !entry.webhook.differs_in_secrets_at_most(webhook) {
                update.altered.push(webhook.name.clone());
                continue;
            }
            let mut keys = entry.keys.lock();
            if **keys != *webhook.secrets {
                *keys = webhook.secrets.clone().into();
                update.changed.push(webhook.name.clone());
            }
        }
        let is_configured = |name: &&String| webhooks.iter().any(|webhook| webhook.name == **name);
        update.unknown.extend(self.0.keys().filter(|name| !is_configured(name)).cloned());
        update.unknown.sort_unstable();
        update
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Network;

    fn webhook(name: &str) -> Webhook {
        Webhook {
            name: name.into(),
            url: http::Uri::from_static("https://old.example/"),
            secrets: vec![b"old".to_vec()],
            token: None,
            timeout_ms: 1000,
            backlog_max: 10,
            concurrency_max: 1,
            retry_ms: vec![5],
            allow_addresses: Vec::new(),
            ca_file: None,
        }
    }

    fn renewed() -> Webhook {
        Webhook { secrets: vec![b"new".to_vec()], ..webhook("app") }
    }

    #[test]
    fn keys_are_taken_for_the_receiver_they_are_meant_for_only() {
        let altered = [
            Webhook { url: http::Uri::from_static("https://new.example/"), ..renewed() },
            Webhook { token: Some("t".into()), ..renewed() },
            Webhook { timeout_ms: 1001, ..renewed() },
            Webhook { backlog_max: 11, ..renewed() },
            Webhook { concurrency_max: 2, ..renewed() },
            Webhook { retry_ms: vec![5, 5], ..renewed() },
            Webhook {
                allow_addresses: Network::parse("10.0.0.0/8").into_iter().collect(),
                ..renewed()
            },
            Webhook { ca_file: Some("ca.pem".into()), ..renewed() },
        ];
        let secrets = Secrets::new(&[webhook("app"), webhook("gone")]);
        for given in altered {
            let replaced = secrets.replace(&[given, webhook("gone")]);
            let expected =
                SecretsUpdate { altered: vec!["app".into()], ..SecretsUpdate::default() };
            assert_eq!(replaced, expected);
            assert_eq!(*secrets.of("app"), [b"old".to_vec()]);
        }
        let replaced = secrets.replace(&[renewed(), webhook("come")]);
        let expected = SecretsUpdate {
            changed: vec!["app".into()],
            unknown: vec!["come".into(), "gone".into()],
            altered: Vec::new(),
        };
        assert_eq!(replaced, expected);
        assert_eq!(*secrets.of("app"), [b"new".to_vec()]);
    }
}
