//! Runs of the server: their numbers.

use rusqlite::Connection;

use crate::store::blobs;
use crate::store::error::Result;
use std::path::Path;

/// The number of this run, committed before any file name contains it.
pub(crate) fn next_epoch(connection: &Connection, data: &Path) -> Result<u64> {
    let sql = "SELECT value FROM counters WHERE name = 'epoch'";
    // Before the database learns that these runs have ended: only this once it does not know it.
    blobs::renew_gaps(data, connection.query_row(sql, [], |row| row.get(0))?)?;
    let sql = "UPDATE counters SET value = max(value, ?1) + 1 WHERE name = 'epoch' RETURNING value";
    Ok(connection.query_row(sql, [blobs::newest_epoch(data)?], |row| row.get(0))?)
}
