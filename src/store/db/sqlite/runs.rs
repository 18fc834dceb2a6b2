//! Runs of the server: the table `runs`, with a row for each start.
//!
//! **Invariants**
//! - The number of a run is higher than that of every earlier run, also of runs that only the data
//!   folder knows. It is committed before any file name contains it.
//! - An ended run writes nothing more: no file of it gets a row any more.

use std::path::Path;

use rusqlite::{Connection, params};

use super::database::Database;
use crate::store::blobs::earlier_runs;
use crate::store::error::Result;
use crate::types::Timestamp;

/// The run that has begun.
pub(crate) struct Begun {
    /// Its number.
    pub(crate) run: u64,
    /// The last time that earlier runs have noted; `None` for the first run.
    pub(crate) last_noted: Option<Timestamp>,
}

/// Ends all earlier runs and inserts the row of this one.
pub(crate) fn begin(connection: &Connection, data: &Path, now: Timestamp) -> Result<Begun> {
    // Before the rows are updated: later starts know that these runs have ended.
    earlier_runs::renew_gaps(data, |run| Ok(!has_ended(connection, run)?))?;
    let newest = earlier_runs::newest_run(data)?;
    let transaction = connection.unchecked_transaction()?;
    // This process holds the lock of the data folder, so no other run is active. With several
    // gateways on one database, each run will hold a lease in its row, and only runs with an
    // expired lease end here.
    let last_noted = transaction.query_row(
        "SELECT max(max(started, coalesce(ended, 0))) FROM runs",
        [],
        |row| row.get(0),
    )?;
    transaction.execute("UPDATE runs SET ended = ?1 WHERE ended IS NULL", [now])?;
    let run = transaction.query_row(
        "INSERT INTO runs (id, started)
         VALUES (max(?1, coalesce((SELECT max(id) FROM runs), 0)) + 1, ?2) RETURNING id",
        params![newest, now],
        |row| row.get(0),
    )?;
    transaction.commit()?;
    Ok(Begun { run, last_noted })
}

/// Marks a run as ended, at a clean close. Its writer has stopped: `connection` is the only one
/// left.
pub(crate) fn end(connection: &Connection, run: u64, now: Timestamp) -> Result<()> {
    connection.execute("UPDATE runs SET ended = ?2 WHERE id = ?1", params![run, now])?;
    Ok(())
}

/// True if a run has ended. False for a run that is newer than all that the database knows: the
/// database may be restored from a backup.
pub(crate) fn is_ended(db: &Database, run: u64) -> Result<bool> {
    has_ended(&*db.readers.take()?, run)
}

fn has_ended(connection: &Connection, run: u64) -> Result<bool> {
    // Numbers above the range of SQLite's integers were never used.
    let Ok(run) = i64::try_from(run) else { return Ok(false) };
    // Runs from before this table have no row.
    let ended: Option<bool> = connection
        .prepare_cached(
            "SELECT coalesce((SELECT ended IS NOT NULL FROM runs WHERE id = ?1),
                 ?1 < (SELECT max(id) FROM runs))",
        )?
        .query_row([run], |row| row.get(0))?;
    Ok(ended.unwrap_or(false))
}
