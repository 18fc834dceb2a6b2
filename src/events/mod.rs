//! Events of objects and uploads: their names, the rules of buckets, and the bodies sent to
//! targets.
//!
//! Pure: no state, no I/O, no clock. The store evaluates the rules of a bucket in the transaction
//! that makes a change, and writes one row into its outbox for the rule that matches.
//! [`crate::webhooks`] sends the rows until their targets accept them.
//! `wire::notification` owns the XML of the rules.
//!
//! **Invariants**
//! - An event is recorded if and only if its change is committed. A request that changes nothing (a
//!   repeated Complete, a delete of a missing key) records nothing.
//! - The body is fixed when the event is recorded. Every attempt, also after an upgrade, sends the
//!   same bytes under the same `webhook-id`.
//! - An event is at most one row of the outbox: no two rules of a bucket match the same event
//!   ([`NotificationRules::new`] refuses them, as AWS does). Without rules an event costs one
//!   look-up in memory.
//! - Events of one target and one key are delivered in the order of their transactions.
//! - A full backlog fails no request. Events beyond it are counted in one `partita:Events:Gap`.
//! - Partita's own events (`partita:…`) go only to rules that name them.

pub mod callback;
pub mod names;
pub mod record;
pub mod rules;

pub use callback::CallbackVar;
pub use names::{EventName, EventSet};
pub use record::{DroppedEvents, EventDetails, Subject};
pub use rules::{NotificationRule, NotificationRuleError, NotificationRules, RuleKind};
