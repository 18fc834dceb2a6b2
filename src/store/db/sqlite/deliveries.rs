//! Deliveries: attempts to send rows of the outbox, their log and outcomes, and resending.
//!
//! **Invariants**
//! - A row is deleted when its target has accepted it, or when a dead row expires. An attempt that
//!   ends without an answer changes nothing.
//! - The log of an attempt and its outcome are one transaction.
//! - A dead row that is sent again goes to the end of its ordering key.

use std::collections::HashSet;

use rusqlite::{OptionalExtension as _, Row, params};

use super::database::Database;
use super::job::Txn;
use super::outbox::{
    DEAD, DUE, OutboxEvent, add_dropped, insert, release_next, reopen_backlog, report_dropped,
};
use crate::events::{DroppedEvents, EventName, record};
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::events::{Attempt, Delivery, DueEvent, DueEvents, Outcome, TargetState};
use crate::types::{MessageId, Timestamp};

/// Rows in one transaction of a verb that changes many.
const STEP_ROWS: usize = 256;
/// Rows of the delivery log on one page.
const LOG_PAGE: usize = 100;

fn event_of(row: &Row<'_>) -> Result<EventName> {
    EventName::from_code(row.get("event")?).ok_or_else(|| damaged("an event without a name"))
}

/// Events due for a target, except those that are being sent; at most `max`.
pub(crate) fn due(
    db: &Database,
    target: &str,
    now: Timestamp,
    max: usize,
    under_way: &HashSet<i64>,
) -> Result<DueEvents> {
    db.alive()?;
    let mut due = DueEvents::default();
    let reader = db.readers.take()?;
    due.disabled = reader
        .prepare_cached("SELECT disabled FROM webhook_targets WHERE name = ?1")?
        .query_row([target], |row| row.get(0))
        .optional()?
        .flatten();
    if due.disabled.is_some() {
        return Ok(due);
    }
    let mut statement = reader.prepare_cached(
        "SELECT id, next_at, message, attempts, body FROM outbox
         WHERE target = ?1 AND state = 0 ORDER BY next_at",
    )?;
    let mut rows = statement.query([target])?;
    while let Some(row) = rows.next()? {
        let (id, next_at): (i64, Timestamp) = (row.get("id")?, row.get("next_at")?);
        if under_way.contains(&id) {
            continue;
        }
        if next_at > now || due.events.len() == max {
            due.next = Some(next_at);
            break;
        }
        due.events.push(DueEvent {
            id,
            message: row.get("message")?,
            attempts: row.get("attempts")?,
            body: row.get("body")?,
        });
    }
    Ok(due)
}

/// Columns of an outbox row that the outcome of an attempt needs.
struct QueuedEvent {
    target: String,
    bucket: String,
    key: Vec<u8>,
    event: u8,
    message: MessageId,
    attempts: u32,
}

/// Logs an attempt and applies its outcome.
pub(crate) fn finish(db: &Database, attempt: Attempt) -> Pending<()> {
    let rows_max = db.options.bounds.delivery_rows_max;
    db.free(move |txn| {
        let event = txn
            .prepare(
                "SELECT target, bucket, key, event, message, attempts FROM outbox
                 WHERE id = ?1 AND state = 0",
            )?
            .query_row([attempt.id], |row| {
                Ok(QueuedEvent {
                    target: row.get(0)?,
                    bucket: row.get(1)?,
                    key: row.get(2)?,
                    event: row.get(3)?,
                    message: row.get(4)?,
                    attempts: row.get(5)?,
                })
            })
            .optional()?;
        // The row was deleted meanwhile.
        let Some(event) = event else { return Ok(()) };
        log(txn, &event, &attempt, rows_max)?;
        apply(txn, &event, &attempt)
    })
}

fn log(txn: &Txn<'_>, event: &QueuedEvent, attempt: &Attempt, rows_max: i64) -> Result<()> {
    txn.execute(
        "INSERT INTO deliveries
             (target, message, event, bucket, key, attempt, at, status, millis, reply)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            event.target,
            event.message,
            event.event,
            event.bucket,
            event.key,
            event.attempts + 1,
            attempt.at,
            attempt.status,
            attempt.millis,
            attempt.reply,
        ],
    )?;
    // Two rows for one, so that the log also shrinks to a lowered limit.
    txn.execute(
        "DELETE FROM deliveries WHERE id IN (
             SELECT id FROM deliveries WHERE id <= ?1 ORDER BY id LIMIT 2)",
        [txn.connection.last_insert_rowid() - rows_max],
    )?;
    Ok(())
}

fn apply(txn: &Txn<'_>, event: &QueuedEvent, attempt: &Attempt) -> Result<()> {
    let ordering_key = (event.bucket.as_str(), event.key.as_slice());
    let attempts = event.attempts + 1;
    match &attempt.outcome {
        Outcome::Delivered => {
            txn.execute("DELETE FROM outbox WHERE id = ?1", [attempt.id])?;
            remove_from_backlog(txn, &event.target, ordering_key)?;
            report_dropped(txn, &event.target, attempt.at)
        }
        Outcome::RetryAt(next_at) => {
            txn.execute(
                "UPDATE outbox SET attempts = ?2, next_at = ?3 WHERE id = ?1",
                params![attempt.id, attempts, next_at],
            )?;
            Ok(())
        }
        Outcome::Disabled(why) => {
            txn.execute(
                "UPDATE webhook_targets SET disabled = ?2 WHERE name = ?1",
                params![event.target, why],
            )?;
            Ok(())
        }
        Outcome::Dead => {
            mark_dead(txn, event, attempt.id, attempts)?;
            remove_from_backlog(txn, &event.target, ordering_key)
        }
    }
}

/// Counts one waiting row less, and makes the next one of its ordering key due.
fn remove_from_backlog(txn: &Txn<'_>, target: &str, ordering_key: (&str, &[u8])) -> Result<()> {
    txn.execute("UPDATE webhook_targets SET backlog = backlog - 1 WHERE name = ?1", [target])?;
    release_next(txn, target, ordering_key)?;
    reopen_backlog(txn, target)
}

/// Marks the row as dead. An event that reports dropped events is added to the count again instead,
/// and reported later.
fn mark_dead(txn: &Txn<'_>, event: &QueuedEvent, id: i64, attempts: u32) -> Result<()> {
    if event.event == EventName::Gap.code() {
        return drop_counted(txn, &event.target, id);
    }
    let sql = "UPDATE outbox SET attempts = ?2, state = 2 WHERE id = ?1";
    txn.execute(sql, params![id, attempts])?;
    let sql = "UPDATE webhook_targets SET dead = dead + 1 WHERE name = ?1 RETURNING dead";
    let dead: u64 = txn.prepare(sql)?.query_row([&event.target], |row| row.get(0))?;
    if dead <= txn.state.targets.backlog_max(&event.target) {
        return Ok(());
    }
    // The number of dead rows of a target has the same limit as its backlog.
    let oldest = "SELECT min(id) FROM outbox WHERE target = ?1 AND state = 2";
    let oldest: i64 = txn.prepare(oldest)?.query_row([&event.target], |row| row.get(0))?;
    let sql = "UPDATE webhook_targets SET dead = dead - 1 WHERE name = ?1";
    txn.execute(sql, [&event.target])?;
    drop_counted(txn, &event.target, oldest)
}

/// Deletes the row and counts it as dropped; for a report of dropped events, all that it counted.
fn drop_counted(txn: &Txn<'_>, target: &str, id: i64) -> Result<()> {
    let (event, body, created) = txn
        .prepare("DELETE FROM outbox WHERE id = ?1 RETURNING event, body, created")?
        .query_row([id], |row| {
            Ok((row.get::<_, u8>(0)?, row.get::<_, Vec<u8>>(1)?, row.get(2)?))
        })?;
    let missing = match event == EventName::Gap.code() {
        true => {
            record::parse_dropped_events(&body).ok_or_else(|| damaged("a gap in the outbox"))?
        }
        false => DroppedEvents { count: 1, first: created, last: created },
    };
    add_dropped(txn, target, &missing)
}

/// Disables a target, or (with `None`) enables it.
pub(crate) fn set_disabled(db: &Database, target: &str, why: Option<String>) -> Pending<()> {
    let target = target.to_owned();
    db.free(move |txn| {
        let sql = "UPDATE webhook_targets SET disabled = ?2 WHERE name = ?1";
        if txn.execute(sql, params![target, why])? == 0 {
            return Err(unknown(&target));
        }
        txn.effect(Effect::EventQueued(target.as_str().into()));
        Ok(())
    })
}

fn unknown(target: &str) -> Error {
    Error::NotFound { what: format!("the webhook {target}") }
}

/// Adds a test event to the outbox, regardless of the backlog.
pub(crate) fn test(db: &Database, target: &str) -> Pending<MessageId> {
    let target = target.to_owned();
    let is_known = db.state.targets.is_known(&target);
    db.write(move |txn| {
        if !is_known {
            return Err(unknown(&target));
        }
        let sql = "UPDATE webhook_targets SET backlog = backlog + 1
                   WHERE name = ?1 AND disabled IS NULL";
        if txn.execute(sql, [&target])? == 0 {
            return Err(Error::Refused(format!("the webhook {target} is disabled")));
        }
        let time = txn.now();
        let body = record::test_event("", "", time);
        // An ordering key of its own, so that it is sent now.
        let ordering_key = txn.state.sources.message_id();
        let event = EventName::TestEvent;
        insert(
            txn,
            &OutboxEvent {
                target: &target,
                ordering_key: ("", ordering_key.as_bytes()),
                event,
                body,
                time,
            },
        )
    })
}

/// Sends a message again: a dead one as if it were new, a due one at once.
pub(crate) fn resend(db: &Database, target: &str, message: MessageId) -> Pending<()> {
    let target = target.to_owned();
    db.write(move |txn| {
        let found: Option<(i64, i64)> = txn
            .prepare("SELECT id, state FROM outbox WHERE message = ?1 AND target = ?2")?
            .query_row(params![message, target], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => Err(Error::NotFound { what: format!("the message msg_{message} of {target}") }),
            Some((id, DEAD)) => requeue(txn, &target, id),
            Some((id, DUE)) => {
                let sql = "UPDATE outbox SET next_at = ?2, attempts = 0 WHERE id = ?1";
                txn.execute(sql, params![id, txn.now()])?;
                txn.effect(Effect::EventQueued(target.as_str().into()));
                Ok(())
            }
            Some(_) => Err(Error::Refused(format!(
                "the message msg_{message} waits behind an earlier one of its key"
            ))),
        }
    })
}

/// Sends the oldest dead events of a target again, at most [`STEP_ROWS`]. Returns their number; 0
/// when none is left.
pub(crate) fn resend_dead(db: &Database, target: &str) -> Pending<u64> {
    let target = target.to_owned();
    db.write_step(move |txn| {
        let sql = "SELECT 1 FROM webhook_targets WHERE name = ?1";
        if !txn.prepare(sql)?.exists([&target])? {
            return Err(unknown(&target));
        }
        let ids: Vec<i64> = txn
            .prepare("SELECT id FROM outbox WHERE target = ?1 AND state = 2 ORDER BY id LIMIT ?2")?
            .query_map(params![target, STEP_ROWS], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for id in &ids {
            requeue(txn, &target, *id)?;
        }
        Ok(ids.len() as u64)
    })
}

fn requeue(txn: &Txn<'_>, target: &str, id: i64) -> Result<()> {
    let now = txn.now();
    txn.execute(
        "INSERT INTO outbox
             (message, target, bucket, key, event, body, created, attempts, next_at, state)
         SELECT message, target, bucket, key, event, body, created, 0, ?2, EXISTS (
             SELECT 1 FROM outbox AS other WHERE other.target = dead.target
             AND other.bucket = dead.bucket AND other.key = dead.key AND other.state < 2)
         FROM outbox AS dead WHERE id = ?1",
        params![id, now],
    )?;
    txn.execute("DELETE FROM outbox WHERE id = ?1", [id])?;
    let sql = "UPDATE webhook_targets SET backlog = backlog + 1, dead = dead - 1 WHERE name = ?1";
    txn.execute(sql, [target])?;
    txn.effect(Effect::EventQueued(target.into()));
    Ok(())
}

/// State of every target that is configured or has events.
pub(crate) fn states(db: &Database) -> Result<Vec<TargetState>> {
    db.alive()?;
    let reader = db.readers.take()?;
    let mut statement = reader.prepare_cached(
        "SELECT name, backlog, dead, gap_count, gap_first, disabled,
             (SELECT min(next_at) FROM outbox WHERE target = name AND state = 0) AS next_at,
             (SELECT max(id) FROM deliveries WHERE target = name) AS last
         FROM webhook_targets ORDER BY name",
    )?;
    let mut rows = statement.query([])?;
    let mut states = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get("name")?;
        let last = match row.get::<_, Option<i64>>("last")? {
            Some(id) => read_log(&reader, "id = ?1", params![id])?.pop(),
            None => None,
        };
        let state = TargetState {
            configured: db.state.targets.is_known(&name),
            backlog: row.get("backlog")?,
            backlog_max: db.state.targets.backlog_max(&name),
            dead: row.get("dead")?,
            dropped_count: row.get("gap_count")?,
            dropped_since: row.get("gap_first")?,
            disabled: row.get("disabled")?,
            next_at: row.get("next_at")?,
            last,
            name,
        };
        if state.configured || state.backlog + state.dead + state.dropped_count > 0 {
            states.push(state);
        }
    }
    Ok(states)
}

/// The last attempts for a target, newest first.
pub(crate) fn deliveries(db: &Database, target: &str) -> Result<Vec<Delivery>> {
    db.alive()?;
    let reader = db.readers.take()?;
    let known = "SELECT 1 FROM webhook_targets WHERE name = ?1";
    if !reader.prepare_cached(known)?.exists([target])? {
        return Err(unknown(target));
    }
    read_log(&reader, "target = ?1 ORDER BY id DESC LIMIT ?2", params![target, LOG_PAGE])
}

fn read_log(
    connection: &rusqlite::Connection,
    which: &'static str,
    params: impl rusqlite::Params,
) -> Result<Vec<Delivery>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT message, event, bucket, key, attempt, at, status, millis, reply
         FROM deliveries WHERE {which}"
    ))?;
    let mut rows = statement.query(params)?;
    let mut log = Vec::new();
    while let Some(row) = rows.next()? {
        let (bucket, ordering_key): (String, Vec<u8>) = (row.get("bucket")?, row.get("key")?);
        // An event without a bucket has no key either: the ordering key of a test is its own id.
        let key =
            if bucket.is_empty() { "".into() } else { String::from_utf8_lossy(&ordering_key) };
        log.push(Delivery {
            message: row.get("message")?,
            event: event_of(row)?,
            key: key.into_owned(),
            bucket,
            attempt: row.get("attempt")?,
            at: row.get("at")?,
            status: row.get("status")?,
            millis: row.get("millis")?,
            reply: row.get("reply")?,
        });
    }
    Ok(log)
}

/// Deletes attempts and dead events from before these times, in steps. Returns their number.
/// Blocking.
pub(crate) fn sweep(db: &Database, tries: Timestamp, dead: Timestamp) -> Result<u64> {
    let mut swept = 0;
    loop {
        let count = db.free_step(move |txn| sweep_step(txn, tries, dead)).wait()?;
        swept += count;
        if count == 0 {
            return Ok(swept);
        }
    }
}

fn sweep_step(txn: &Txn<'_>, tries: Timestamp, dead: Timestamp) -> Result<u64> {
    // The log is in order of time, so only its oldest rows are read.
    let old = txn.execute(
        "DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries ORDER BY id LIMIT ?2)
         AND at < ?1",
        params![tries, STEP_ROWS],
    )?;
    let targets: Vec<String> = txn
        .prepare("SELECT name FROM webhook_targets WHERE dead > 0")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut given_up = 0;
    for target in targets {
        let gone = txn.execute(
            "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox
                 WHERE target = ?1 AND state = 2 ORDER BY id LIMIT ?3) AND created < ?2",
            params![target, dead, STEP_ROWS],
        )?;
        let sql = "UPDATE webhook_targets SET dead = dead - ?2 WHERE name = ?1";
        txn.execute(sql, params![target, gone])?;
        given_up += gone;
    }
    Ok((old + given_up) as u64)
}
