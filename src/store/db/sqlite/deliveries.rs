//! What becomes of the rows of the outbox: taken, tried again, given up, asked for once more.
//!
//! **Invariants**
//! - A row goes when its target has taken it, and at no other time than that and the end of a dead
//!   row's keep. A try that ends without an answer changes nothing that a start would not find.
//! - The log of tries and the fate of the row are one transaction.
//! - A dead row that is asked for again goes to the end of its lane: what was sent meanwhile cannot
//!   be called back.

use rusqlite::{OptionalExtension as _, Row, params};

use super::database::Database;
use super::job::Txn;
use super::outbox::{DEAD, DUE, Letter, close_gap, insert, let_next_go, make_room, widen_gap};
use crate::events::{DroppedEvents, EventName, record};
use crate::store::error::damaged;
use crate::store::error::{Error, Result};
use crate::store::memory::directory::Effect;
use crate::store::memory::pending::Pending;
use crate::store::records::{Delivery, DueEvent, DueEvents, Fate, TargetState, Try};
use crate::types::{MessageId, Timestamp};

/// Rows in one transaction of what goes through many.
const STEP_ROWS: usize = 256;
/// Tries that the log keeps, of all targets together. Those who look for the last of a target find
/// it by index.
#[cfg(not(test))]
const LOG_ROWS_MAX: i64 = 100_000;
#[cfg(test)]
pub(crate) const LOG_ROWS_MAX: i64 = 50;
/// Tries that are shown at once.
const LOG_PAGE: usize = 100;

fn event_of(row: &Row<'_>) -> Result<EventName> {
    EventName::from_code(row.get("event")?).ok_or_else(|| damaged("an event without a name"))
}

/// What is due for a target, but for what `is_under_way`; at most `max`.
pub(crate) fn due(
    db: &Database,
    target: &str,
    now: Timestamp,
    max: usize,
    is_under_way: impl Fn(i64) -> bool,
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
        if is_under_way(id) {
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

/// A row as its fate needs it.
struct Entry {
    target: String,
    bucket: String,
    key: Vec<u8>,
    event: u8,
    message: MessageId,
    attempts: u32,
}

/// Writes down a try and what follows from it.
pub(crate) fn settle(db: &Database, tried: Try) -> Pending<()> {
    db.free(move |txn| {
        let entry = txn
            .prepare(
                "SELECT target, bucket, key, event, message, attempts FROM outbox
                 WHERE id = ?1 AND state = 0",
            )?
            .query_row([tried.id], |row| {
                Ok(Entry {
                    target: row.get(0)?,
                    bucket: row.get(1)?,
                    key: row.get(2)?,
                    event: row.get(3)?,
                    message: row.get(4)?,
                    attempts: row.get(5)?,
                })
            })
            .optional()?;
        // Somebody took it away meanwhile.
        let Some(entry) = entry else { return Ok(()) };
        log(txn, &entry, &tried)?;
        apply(txn, &entry, &tried)
    })
}

fn log(txn: &Txn<'_>, entry: &Entry, tried: &Try) -> Result<()> {
    txn.execute(
        "INSERT INTO deliveries
             (target, message, event, bucket, key, attempt, at, status, millis, reply)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            entry.target,
            entry.message,
            entry.event,
            entry.bucket,
            entry.key,
            entry.attempts + 1,
            tried.at,
            tried.status,
            tried.millis,
            tried.reply,
        ],
    )?;
    // Two for one, so that it also comes down to a limit that was lowered.
    txn.execute(
        "DELETE FROM deliveries WHERE id IN (
             SELECT id FROM deliveries WHERE id <= ?1 ORDER BY id LIMIT 2)",
        [txn.connection.last_insert_rowid() - LOG_ROWS_MAX],
    )?;
    Ok(())
}

fn apply(txn: &Txn<'_>, entry: &Entry, tried: &Try) -> Result<()> {
    let lane = (entry.bucket.as_str(), entry.key.as_slice());
    let attempts = entry.attempts + 1;
    match &tried.fate {
        Fate::Taken => {
            txn.execute("DELETE FROM outbox WHERE id = ?1", [tried.id])?;
            leave_backlog(txn, &entry.target, lane)?;
            close_gap(txn, &entry.target, tried.at)
        }
        Fate::Again(next_at) => {
            txn.execute(
                "UPDATE outbox SET attempts = ?2, next_at = ?3 WHERE id = ?1",
                params![tried.id, attempts, next_at],
            )?;
            Ok(())
        }
        Fate::Disabled(why) => {
            txn.execute(
                "UPDATE webhook_targets SET disabled = ?2 WHERE name = ?1",
                params![entry.target, why],
            )?;
            Ok(())
        }
        Fate::Dead => {
            give_up(txn, entry, tried.id, attempts)?;
            leave_backlog(txn, &entry.target, lane)
        }
    }
}

/// A row of the lane is not waiting any more.
fn leave_backlog(txn: &Txn<'_>, target: &str, lane: (&str, &[u8])) -> Result<()> {
    txn.execute("UPDATE webhook_targets SET backlog = backlog - 1 WHERE name = ?1", [target])?;
    let_next_go(txn, target, lane)?;
    make_room(txn, target)
}

/// Keeps the row as dead; a gap is counted on instead, and told when another event is taken: what
/// tells of events never takes their places.
fn give_up(txn: &Txn<'_>, entry: &Entry, id: i64, attempts: u32) -> Result<()> {
    if entry.event == EventName::Gap.code() {
        return count(txn, &entry.target, id);
    }
    let sql = "UPDATE outbox SET attempts = ?2, state = 2 WHERE id = ?1";
    txn.execute(sql, params![id, attempts])?;
    let sql = "UPDATE webhook_targets SET dead = dead + 1 WHERE name = ?1 RETURNING dead";
    let dead: u64 = txn.prepare(sql)?.query_row([&entry.target], |row| row.get(0))?;
    if dead <= txn.shared.targets.backlog_max(&entry.target) {
        return Ok(());
    }
    // The dead of a target are bounded as its backlog is.
    let oldest = "SELECT min(id) FROM outbox WHERE target = ?1 AND state = 2";
    let oldest: i64 = txn.prepare(oldest)?.query_row([&entry.target], |row| row.get(0))?;
    let sql = "UPDATE webhook_targets SET dead = dead - 1 WHERE name = ?1";
    txn.execute(sql, [&entry.target])?;
    count(txn, &entry.target, oldest)
}

/// Takes the row out and counts it in the gap; for a gap, all that it counted.
fn count(txn: &Txn<'_>, target: &str, id: i64) -> Result<()> {
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
    widen_gap(txn, target, &missing)
}

/// Sends a target nothing any more, or (with `None`) sends to it again.
pub(crate) fn set_disabled(db: &Database, target: &str, why: Option<String>) -> Pending<()> {
    let target = target.to_owned();
    db.free(move |txn| {
        let sql = "UPDATE webhook_targets SET disabled = ?2 WHERE name = ?1";
        if txn.execute(sql, params![target, why])? == 0 {
            return Err(unknown(&target));
        }
        txn.effect(Effect::EventWaits(target.as_str().into()));
        Ok(())
    })
}

fn unknown(target: &str) -> Error {
    Error::NotFound { what: format!("the webhook {target}") }
}

/// Writes a test into the outbox, past any backlog.
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
        // A lane of its own: it shall tell how the target is now.
        let lane = txn.shared.sources.message_id();
        let event = EventName::TestEvent;
        insert(txn, &Letter { target: &target, lane: ("", lane.as_bytes()), event, body, time })
    })
}

/// Sends a message again: a dead one as if it were new, a waiting one at once.
pub(crate) fn resend(db: &Database, target: &str, message: MessageId) -> Pending<()> {
    let target = target.to_owned();
    db.write(move |txn| {
        let found: Option<(i64, i64)> = txn
            .prepare("SELECT id, state FROM outbox WHERE message = ?1 AND target = ?2")?
            .query_row(params![message, target], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match found {
            None => Err(Error::NotFound { what: format!("the message msg_{message} of {target}") }),
            Some((id, DEAD)) => revive(txn, &target, id),
            Some((id, DUE)) => {
                let sql = "UPDATE outbox SET next_at = ?2, attempts = 0 WHERE id = ?1";
                txn.execute(sql, params![id, txn.now()])?;
                txn.effect(Effect::EventWaits(target.as_str().into()));
                Ok(())
            }
            Some(_) => Err(Error::Refused(format!(
                "the message msg_{message} waits behind an earlier one of its key"
            ))),
        }
    })
}

/// As [`resend`], for the oldest dead of a target, so many that one transaction is short. Gives how
/// many: none are left when it is 0.
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
            revive(txn, &target, *id)?;
        }
        Ok(ids.len() as u64)
    })
}

fn revive(txn: &Txn<'_>, target: &str, id: i64) -> Result<()> {
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
    txn.effect(Effect::EventWaits(target.into()));
    Ok(())
}

/// How every target is that is configured or has something waiting.
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
            gap_count: row.get("gap_count")?,
            gap_first: row.get("gap_first")?,
            disabled: row.get("disabled")?,
            next_at: row.get("next_at")?,
            last,
            name,
        };
        if state.configured || state.backlog + state.dead + state.gap_count > 0 {
            states.push(state);
        }
    }
    Ok(states)
}

/// The last tries for a target, newest first.
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
        let (bucket, lane): (String, Vec<u8>) = (row.get("bucket")?, row.get("key")?);
        // What is of no bucket has no key either: the lane of a test is its own id.
        let key = if bucket.is_empty() { "".into() } else { String::from_utf8_lossy(&lane) };
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

/// Forgets tries and dead events from before these times, in steps. Gives how many. Blocking.
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
    // The log is in the order of time, so its end is all that is looked at.
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
