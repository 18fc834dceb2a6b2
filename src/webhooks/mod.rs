//! Delivery of events to webhooks, in the background.
//!
//! [`WebhookThread`] runs a `dispatcher`, which runs a task per `target`. A target reads due events
//! from the store's outbox, sends them with its `client` and records each attempt. `schedule`,
//! `sign` and `addresses` are pure; `secrets` are the keys that a SIGHUP replaces.
//!
//! **Invariants**
//! - Deliveries use verbs of the store and nothing else of it. State that must survive a restart is
//!   a row.
//! - They have a thread and a runtime of their own, so no request waits for them. Connections to
//!   other servers are made only here.

mod addresses;
mod client;
mod dispatcher;
mod schedule;
mod secrets;
mod sign;
mod start_error;
mod target;
mod thread;

pub use secrets::{Secrets, SecretsUpdate};
pub use start_error::StartError;
pub use thread::WebhookThread;
