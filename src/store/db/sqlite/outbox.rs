//! Transactional outbox of events.
//!
//! **Invariants**
//! - [`emit`] is called in the transaction of the change, after it: both are committed or neither
//!   is. It writes one row at most.
//! - An ordering key is a target, a bucket and a key. Of its rows that are not dead, the first is
//!   due (`state` 0) and the others wait (`state` 1). Deleting the first makes the next one due. So
//!   one index finds what is due, and the order per key is kept.
//! - `webhook_targets` counts the rows of its target, in the same transaction.
//! - An event without room is dropped: counted in `gap_count`, with the first and last time in
//!   `gap_first` and `gap_last`. So is a dead row that makes room for another one.
//! - A full backlog drops all events until half of it is free. A full ordering key drops only its
//!   own.
//! - Dropped events are reported as one event once a delivery leaves no more than half of the
//!   backlog. At most one report waits, and none is kept as dead.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, params};

use super::database::Database;
use super::job::Txn;
use crate::access::Bucket;
use crate::events::{
    CallbackVar, DroppedEvents, EventDetails, EventName, NotificationRules, Subject, record,
};
use crate::store::error::Result;
use crate::store::error::damaged;
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::configurations::{BucketConfiguration, BucketConfigurationKind};
use crate::store::records::events::Cause;
use crate::store::records::options::EventTarget;
use crate::store::rules::headers::decode_headers;
use crate::types::{ETag, MessageId, ObjectKey, Timestamp, UploadId};

/// `state`: to be sent when `next_at` has come.
pub(crate) const DUE: i64 = 0;
// `state` 1: behind an earlier row of the same ordering key.
/// `state`: given up.
pub(crate) const DEAD: i64 = 2;

/// Principal of events that no request caused.
const SERVER: &str = "partita";

/// A change, as the verb that makes it knows it.
pub(crate) struct EmittedEvent<'a> {
    pub(crate) event: EventName,
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: &'a ObjectKey,
    pub(crate) time: Timestamp,
    /// The user and the request.
    pub(crate) cause: &'a Cause,
    pub(crate) detail: Detail<'a>,
}

/// Details of an event.
#[derive(Default)]
pub(crate) struct Detail<'a> {
    /// The object's number, if it has a new one.
    pub(crate) seq: Option<i64>,
    pub(crate) object: Option<(u64, ETag)>,
    /// Encoded by `encode_headers`.
    pub(crate) headers: Option<&'a [u8]>,
    pub(crate) upload: Option<UploadId>,
    pub(crate) callback_var: Option<&'a [u8]>,
}

/// The rules that a document of the store means.
pub(crate) fn rules_of(configuration: &BucketConfiguration) -> Result<&NotificationRules> {
    let rules = configuration.meaning(NotificationRules::decode).and_then(Option::as_ref);
    rules.ok_or_else(|| damaged("a bucket's notification configuration"))
}

/// Adds the event to the outbox, if a rule of the bucket selects it.
pub(crate) fn emit(txn: &Txn<'_>, emitted: &EmittedEvent<'_>) -> Result<()> {
    let EmittedEvent { event, bucket, key, time, cause, detail } = emitted;
    let kind = BucketConfigurationKind::Notification;
    let Some(configuration) = txn.state.directory.bucket_configuration(bucket.id, kind) else {
        return Ok(());
    };
    let Some(rule) = rules_of(&configuration)?.find(*event, key.as_str()) else { return Ok(()) };
    let sequence = match detail.seq {
        Some(seq) => seq,
        None => txn.next_seq()?,
    };
    let headers = detail.headers.map(decode_headers).transpose()?;
    let upload = detail.upload.map(|id| id.to_string());
    let callback_var = match detail.callback_var.map(|bytes| CallbackVar::from_bytes(bytes.into()))
    {
        Some(None) => return Err(damaged("a callback variable")),
        var => var.flatten(),
    };
    let origin = cause.origin.as_deref();
    let details = EventDetails {
        event: *event,
        time: *time,
        bucket: (bucket.name.as_str(), &bucket.owner.id, &bucket.region),
        key: key.as_str(),
        sequence,
        principal: cause.user.as_ref().map_or(SERVER, |user| &user.id),
        request_id: origin.map_or("", |origin| &origin.request_id),
        peer: origin.map_or(SERVER, |origin| &origin.peer),
        subject: Subject {
            size: detail.object.map(|(size, _)| size),
            etag: detail.object.map(|(_, etag)| etag),
            headers: headers.as_ref(),
            upload_id: upload.as_deref(),
            callback_var: callback_var.as_ref(),
        },
    };
    let outgoing = OutboxEvent {
        target: &rule.target,
        ordering_key: (bucket.name.as_str(), key.as_bytes()),
        event: *event,
        body: details.render(&rule.id),
        time: *time,
    };
    post(txn, &outgoing).map(drop)
}

/// An event for one target.
pub(crate) struct OutboxEvent<'a> {
    pub(crate) target: &'a str,
    /// Bucket and key; empty for what is about neither.
    pub(crate) ordering_key: (&'a str, &'a [u8]),
    pub(crate) event: EventName,
    pub(crate) body: Vec<u8>,
    pub(crate) time: Timestamp,
}

/// Puts it into the outbox, or, where that is full, counts it. Gives its id, if it has one.
pub(crate) fn post(txn: &Txn<'_>, outgoing: &OutboxEvent<'_>) -> Result<Option<MessageId>> {
    let OutboxEvent { target, time, .. } = *outgoing;
    let targets = &txn.state.targets;
    let max = i64::try_from(targets.backlog_max(target)).unwrap_or(i64::MAX);
    let ordering_key_max = i64::try_from(targets.ordering_key_max(target)).unwrap_or(i64::MAX);
    // A target that the configuration does not name has no row before its first event.
    txn.execute("INSERT OR IGNORE INTO webhook_targets (name) VALUES (?1)", [target])?;
    // A backlog shorter than the limit of one ordering key has no full one: nothing is counted.
    let (bucket, key) = outgoing.ordering_key;
    let has_room = txn.execute(
        "UPDATE webhook_targets SET backlog = backlog + 1
         WHERE name = ?1 AND is_full = 0 AND backlog < ?2 AND (backlog < ?5 OR ?5 > (
             SELECT count(*) FROM (
                 SELECT 1 FROM outbox
                 WHERE target = ?1 AND bucket = ?3 AND key = ?4 AND state < 2 LIMIT ?5)))",
        params![target, max, bucket, key, ordering_key_max],
    )? == 1;
    if has_room {
        return insert(txn, outgoing).map(Some);
    }
    txn.execute(
        "UPDATE webhook_targets SET is_full = 1 WHERE name = ?1 AND backlog >= ?2",
        params![target, max],
    )?;
    add_dropped(txn, target, &DroppedEvents { count: 1, first: time, last: time })?;
    Ok(None)
}

/// Counts dropped events of a target.
pub(crate) fn add_dropped(txn: &Txn<'_>, target: &str, missing: &DroppedEvents) -> Result<()> {
    let DroppedEvents { count, first, last } = *missing;
    let counted: u64 = txn
        .prepare(
            "UPDATE webhook_targets SET gap_count = gap_count + ?2,
                 gap_first = min(coalesce(gap_first, ?3), ?3),
                 gap_last = max(coalesce(gap_last, ?4), ?4)
             WHERE name = ?1 RETURNING gap_count",
        )?
        .query_row(params![target, count, first, last], |row| row.get(0))?;
    if counted == count {
        txn.effect(Effect::EventsDropped(target.into()));
    }
    Ok(())
}

/// Adds the row; it is counted already.
pub(crate) fn insert(txn: &Txn<'_>, outgoing: &OutboxEvent<'_>) -> Result<MessageId> {
    let (bucket, key) = outgoing.ordering_key;
    let message = txn.state.sources.message_id();
    txn.execute(
        "INSERT INTO outbox
             (message, target, bucket, key, event, body, created, attempts, next_at, state)
         SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7, EXISTS (
             SELECT 1 FROM outbox WHERE target = ?2 AND bucket = ?3 AND key = ?4 AND state < 2)",
        params![
            message,
            outgoing.target,
            bucket,
            key,
            outgoing.event.code(),
            outgoing.body,
            outgoing.time
        ],
    )?;
    txn.effect(Effect::EventQueued(outgoing.target.into()));
    Ok(message)
}

/// Lets the next row of a ordering_key go, when its first one was taken away.
pub(crate) fn release_next(txn: &Txn<'_>, target: &str, ordering_key: (&str, &[u8])) -> Result<()> {
    txn.execute(
        "UPDATE outbox SET state = 0 WHERE id = (
             SELECT id FROM outbox WHERE target = ?1 AND bucket = ?2 AND key = ?3 AND state < 2
             ORDER BY id LIMIT 1)",
        params![target, ordering_key.0, ordering_key.1],
    )?;
    Ok(())
}

/// Lets a full backlog take events in again when half of it went.
pub(crate) fn reopen_backlog(txn: &Txn<'_>, target: &str) -> Result<()> {
    let sql = "UPDATE webhook_targets SET is_full = 0
               WHERE name = ?1 AND is_full = 1 AND backlog <= ?2";
    txn.execute(sql, params![target, half_of_backlog(txn, target)]).map(drop)
}

fn half_of_backlog(txn: &Txn<'_>, target: &str) -> i64 {
    i64::try_from(txn.state.targets.backlog_max(target)).unwrap_or(i64::MAX) / 2
}

/// Reports the dropped events of a target as an event of its own, once half of its backlog is free.
/// While an earlier report waits, it does nothing; it is called again when that one is delivered.
pub(crate) fn report_dropped(txn: &Txn<'_>, target: &str, time: Timestamp) -> Result<()> {
    let gap = txn
        .prepare(
            "SELECT gap_count, gap_first, gap_last FROM webhook_targets
             WHERE name = ?1 AND gap_count > 0 AND backlog <= ?2 AND NOT EXISTS (
                 SELECT 1 FROM outbox
                 WHERE target = ?1 AND bucket = '' AND key = x'' AND state < 2)",
        )?
        .query_row(params![target, half_of_backlog(txn, target)], |row| {
            Ok(DroppedEvents { count: row.get(0)?, first: row.get(1)?, last: row.get(2)? })
        })
        .optional()?;
    let Some(missing) = gap else { return Ok(()) };
    txn.execute(
        "UPDATE webhook_targets
         SET gap_count = 0, gap_first = NULL, gap_last = NULL, backlog = backlog + 1
         WHERE name = ?1",
        [target],
    )?;
    let body = record::dropped_events(target, &missing);
    let outgoing =
        OutboxEvent { target, ordering_key: ("", b""), event: EventName::Gap, body, time };
    insert(txn, &outgoing).map(drop)
}

/// Makes the rows of the targets that the configuration names.
pub(crate) fn insert_targets(connection: &Connection, targets: &[EventTarget]) -> Result<()> {
    for target in targets {
        connection.execute(
            "INSERT OR IGNORE INTO webhook_targets (name) VALUES (?1)",
            [target.name.as_str()],
        )?;
    }
    Ok(())
}

/// Writes the rules of a bucket and, with `test`, a test event for each of their targets.
pub(crate) fn set_rules(
    db: &Database,
    bucket: &Arc<Bucket>,
    cause: Cause,
    rules: NotificationRules,
    test: bool,
) -> Pending<()> {
    let bucket = Arc::clone(bucket);
    let document = Arc::new(BucketConfiguration::new(rules.encode()));
    db.write(move |txn| {
        let kind = BucketConfigurationKind::Notification;
        crate::store::db::sqlite::configurations::set(txn, &bucket, kind, &document)?;
        let mut targets: Vec<&str> = rules.iter().map(|rule| rule.target.as_str()).collect();
        targets.sort_unstable();
        targets.dedup();
        let request_id = cause.origin.as_ref().map_or("", |origin| &origin.request_id);
        for target in targets.into_iter().filter(|_| test) {
            let time = txn.now();
            let body = record::test_event(bucket.name.as_str(), request_id, time);
            let ordering_key = (bucket.name.as_str(), &b""[..]);
            post(
                txn,
                &OutboxEvent { target, ordering_key, event: EventName::TestEvent, body, time },
            )?;
        }
        Ok(())
    })
}
