//! Check of the outbox: counts match, and of each ordering key exactly the first row is due.

use std::collections::HashMap;

use rusqlite::params;

use super::pages::{PAGE_ROWS, pages};
use crate::events::EventName;
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::outbox::{DEAD, DUE, rules_of};
use crate::store::error::Result;
use crate::store::records::configurations::BucketConfigurationKind;

pub(crate) fn check(db: &Database, found: &mut Vec<String>) -> Result<()> {
    check_rules(db, found);
    let counted = check_order(db, found)?;
    check_counts(db, &counted, found)
}

/// Rules of buckets: unreadable ones would make every write of their bucket fail.
fn check_rules(db: &Database, found: &mut Vec<String>) {
    let kind = BucketConfigurationKind::Notification;
    for (bucket, configuration) in db.directory().bucket_configurations(kind) {
        if rules_of(&configuration).is_err() {
            found.push(format!("the notification rules of bucket {bucket} cannot be read"));
        }
    }
}

/// Waiting and dead rows, by target.
type Counts = HashMap<String, (i64, i64)>;

fn check_order(db: &Database, found: &mut Vec<String>) -> Result<Counts> {
    let mut counted = Counts::new();
    // In order of ordering keys: a row is the first of its key if the previous row has another one.
    let mut before: Option<(String, String, Vec<u8>)> = None;
    let first = (String::new(), String::new(), Vec::new(), 0_i64);
    pages(db, first, |connection, (target, bucket, key, id)| {
        let mut statement = connection.prepare_cached(
            "SELECT id, target, bucket, key, state, event FROM outbox
             WHERE (target, bucket, key, id) > (?1, ?2, ?3, ?4) AND state < 2
             ORDER BY target, bucket, key, id LIMIT ?5",
        )?;
        let mut rows = statement.query(params![target, bucket, key, id, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let ordering_key: (String, String, Vec<u8>) =
                (row.get("target")?, row.get("bucket")?, row.get("key")?);
            let (id, state): (i64, i64) = (row.get("id")?, row.get("state")?);
            let is_first = before.as_ref() != Some(&ordering_key);
            match (is_first, state == DUE) {
                (true, false) => {
                    found.push(format!("event {id}: no event of its ordering key is due"))
                }
                (false, true) => {
                    found.push(format!("event {id}: two events of its ordering key are due"))
                }
                _ => {}
            }
            if EventName::from_code(row.get("event")?).is_none() {
                found.push(format!("event {id}: of no known event"));
            }
            counted.entry(ordering_key.0.clone()).or_default().0 += 1;
            last =
                Some((ordering_key.0.clone(), ordering_key.1.clone(), ordering_key.2.clone(), id));
            before = Some(ordering_key);
        }
        Ok(last)
    })?;
    pages(db, 0_i64, |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, target, state FROM outbox WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            last = Some(row.get("id")?);
            if row.get::<_, i64>("state")? == DEAD {
                counted.entry(row.get("target")?).or_default().1 += 1;
            }
        }
        Ok(last)
    })?;
    Ok(counted)
}

fn check_counts(db: &Database, counted: &Counts, found: &mut Vec<String>) -> Result<()> {
    let mut said = Counts::new();
    db.readers.snapshot(|connection| {
        let sql =
            "SELECT name, backlog, dead, gap_count > 0 AS gap, gap_first IS NOT NULL AS first,
                 gap_last IS NOT NULL AS last FROM webhook_targets";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let gap: [bool; 3] = [row.get("gap")?, row.get("first")?, row.get("last")?];
            if gap != [gap[0]; 3] {
                let name: String = row.get("name")?;
                found.push(format!("webhook {name}: its row tells half of a gap"));
            }
            said.insert(row.get("name")?, (row.get("backlog")?, row.get("dead")?));
        }
        Ok(())
    })?;
    for (target, counts) in &said {
        let rows = counted.get(target).copied().unwrap_or_default();
        if rows != *counts {
            found.push(format!(
                "webhook {target}: its row says {counts:?} events wait and are dead, there are \
                 {rows:?}"
            ));
        }
    }
    for target in counted.keys().filter(|target| !said.contains_key(*target)) {
        found.push(format!("webhook {target}: has events, but no row"));
    }
    Ok(())
}
