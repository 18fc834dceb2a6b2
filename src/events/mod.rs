//! What happens to objects and uploads, told to others: names, rules and bodies. Pure: no state, no
//! I/O, no clock.
//!
//! The way of an event: a verb of the store changes something and, **in the same transaction**,
//! writes one row into the outbox for each rule of the bucket that matches (`store::meta::outbox`).
//! A worker sends the rows to their targets (`workers::webhooks`) until the target has taken them.
//!
//! **Invariants**
//! - An event is recorded if and only if the change that it tells of is committed. A request that
//!   changes nothing (a repeated Complete, a delete of nothing) records nothing.
//! - The body is fixed when it is recorded: each try, also one after an upgrade, sends the same
//!   bytes under the same `webhook-id`.
//! - A bucket without rules costs one lookup in memory; with rules, one row: no two rules of a
//!   bucket match one event ([`Rules::new`] refuses them, as AWS does).
//! - For one target and one key, events are taken in the order of their transactions.
//! - A full backlog never fails a request: what is past it is counted in one gap record.
//! - The vendor's own events go to nobody who did not name them.

pub mod callback;
pub mod names;
pub mod record;
pub mod rules;

pub use callback::CallbackVar;
pub use names::{EventName, Selection};
pub use record::{Happening, Missing, Subject};
pub use rules::{Kind, Rule, RuleError, Rules};
