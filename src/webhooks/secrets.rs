//! The keys that sign the events of each target. The operator may change them while all runs.
//!
//! **Invariant:** keys go to the receiver that they were given with: a target of which anything
//! else was changed keeps its own until a restart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Webhook;

/// The keys of one target, the newest first.
type Keys = Arc<[Vec<u8>]>;

/// A target as it works, and its keys now.
struct Signer {
    webhook: Webhook,
    keys: Mutex<Keys>,
}

/// The keys of all targets. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<HashMap<String, Signer>>);

/// What new keys changed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Replaced {
    /// Targets that have other keys now.
    pub changed: Vec<String>,
    /// Targets that only one of both knows, those at work or those given: they stay as they are.
    pub strange: Vec<String>,
    /// Targets of which more than the keys was changed: they stay as they are.
    pub altered: Vec<String>,
}

impl Secrets {
    pub(crate) fn new(webhooks: &[Webhook]) -> Self {
        let signer = |webhook: &Webhook| {
            let keys = Mutex::new(webhook.secrets.clone().into());
            (webhook.name.clone(), Signer { webhook: webhook.clone(), keys })
        };
        Self(Arc::new(webhooks.iter().map(signer).collect()))
    }

    /// The keys of a target now.
    pub(crate) fn of(&self, target: &str) -> Keys {
        let signer = self.0.get(target).expect("targets are those that the keys were made for");
        Arc::clone(&signer.keys.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Has each target sign with these keys from its next try on. Nothing else is taken.
    pub fn replace(&self, webhooks: &[Webhook]) -> Replaced {
        let mut replaced = Replaced::default();
        for webhook in webhooks {
            let Some(signer) = self.0.get(&webhook.name) else {
                replaced.strange.push(webhook.name.clone());
                continue;
            };
            if !signer.webhook.differs_in_secrets_at_most(webhook) {
                replaced.altered.push(webhook.name.clone());
                continue;
            }
            let mut keys = signer.keys.lock().unwrap_or_else(PoisonError::into_inner);
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
            let expected = Replaced { altered: vec!["app".into()], ..Replaced::default() };
            assert_eq!(replaced, expected);
            assert_eq!(*secrets.of("app"), [b"old".to_vec()]);
        }
        let replaced = secrets.replace(&[renewed(), webhook("come")]);
        let expected = Replaced {
            changed: vec!["app".into()],
            strange: vec!["come".into(), "gone".into()],
            altered: Vec::new(),
        };
        assert_eq!(replaced, expected);
        assert_eq!(*secrets.of("app"), [b"new".to_vec()]);
    }
}
