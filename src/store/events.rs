//! Events and their targets: rules of buckets, deliveries, state.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Notify;

use crate::access::{Permit, ReadNotification, WriteNotification};
use crate::events::NotificationRules;
use crate::store::db::sqlite::{deliveries, outbox};
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::error::Result;
use crate::store::handle::Store;
use crate::store::memory::pending::{Blocking, Pending};
use crate::store::records::events::{Attempt, Cause, Delivery, DueEvents, TargetState};
use crate::types::{MessageId, Timestamp};

impl Store {
    /// Sets the rules of a bucket; with `test` each target gets a test event. The rules are read
    /// back by [`Store::event_rules`]. [`Error::NoSuchBucket`].
    pub fn set_event_rules(
        &self,
        permit: &Permit<WriteNotification>,
        rules: NotificationRules,
        test: bool,
    ) -> Pending<()> {
        outbox::set_rules(&self.engine.db, permit.bucket(), Cause::of(permit), rules, test)
    }

    /// The rules of a bucket. [`Error::NoSuchBucket`].
    pub fn event_rules(&self, permit: &Permit<ReadNotification>) -> Result<NotificationRules> {
        let configuration = self.bucket_configuration(permit)?;
        configuration.map_or(Ok(NotificationRules::default()), |it| outbox::rules_of(&it).cloned())
    }

    /// Events due for a target, except the rows `under_way`; at most `max` of them.
    pub fn due_events(
        &self,
        target: &str,
        now: Timestamp,
        max: usize,
        under_way: HashSet<i64>,
    ) -> Blocking<DueEvents> {
        let (engine, target) = (self.engine.clone(), target.to_owned());
        Blocking::new(move || deliveries::due(&engine.db, &target, now, max, &under_way))
    }

    /// Signal that is notified when an event of the target is due.
    pub fn event_signal(&self, target: &str) -> Arc<Notify> {
        self.engine.db.state.targets.signal(target)
    }

    /// Logs an attempt to deliver an event, and applies its outcome.
    pub fn finish_delivery(&self, attempt: Attempt) -> Pending<()> {
        deliveries::finish(&self.engine.db, attempt)
    }

    /// State of every target.
    pub fn event_targets(&self) -> Blocking<Vec<TargetState>> {
        let engine = self.engine.clone();
        Blocking::new(move || deliveries::states(&engine.db))
    }

    /// The last attempts for a target, newest first. [`Error::NotFound`].
    pub fn deliveries(&self, target: &str) -> Blocking<Vec<Delivery>> {
        let (engine, target) = (self.engine.clone(), target.to_owned());
        Blocking::new(move || deliveries::deliveries(&engine.db, &target))
    }

    /// Sends a test event to a target. [`Error::NotFound`], [`Error::Refused`] when it is disabled.
    pub fn test_event_target(&self, target: &str) -> Pending<MessageId> {
        deliveries::test(&self.engine.db, target)
    }

    /// Disables a target with a reason, or (with `None`) enables it. [`Error::NotFound`].
    pub fn disable_event_target(&self, target: &str, why: Option<String>) -> Pending<()> {
        deliveries::set_disabled(&self.engine.db, target, why)
    }

    /// Sends one event of a target again, or at once. [`Error::NotFound`], [`Error::Refused`].
    pub fn resend_event(&self, target: &str, message: MessageId) -> Pending<()> {
        deliveries::resend(&self.engine.db, target, message)
    }

    /// Sends the oldest dead events of a target again; 0 when none is left.
    pub fn resend_dead_events(&self, target: &str) -> Pending<u64> {
        deliveries::resend_dead(&self.engine.db, target)
    }

    /// True while the wall clock is trusted: only then may be deleted what is old. False for two
    /// hours after a jump of the clock, and after a start that came long after the last run.
    pub fn is_clock_settled(&self) -> bool {
        self.engine.is_clock_settled.load(Ordering::Acquire)
    }

    /// Deletes attempts and dead events from before these times; returns their number.
    pub fn sweep_events(&self, tries: Timestamp, dead: Timestamp) -> Blocking<u64> {
        let engine = self.engine.clone();
        Blocking::new(move || deliveries::sweep(&engine.db, tries, dead))
    }
}
