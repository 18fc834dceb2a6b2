//! Pages of rows, each read in a snapshot of its own.

use rusqlite::Connection;

use crate::store::db::sqlite::database::Database;
use crate::store::error::Result;

/// Rows in one page.
pub(super) const PAGE_ROWS: usize = 1000;

/// Reads pages until `read` gives no next key.
pub(super) fn pages<K>(
    db: &Database,
    first: K,
    mut read: impl FnMut(&Connection, &K) -> Result<Option<K>>,
) -> Result<()> {
    let mut key = Some(first);
    while let Some(from) = key {
        db.alive()?;
        key = db.readers.snapshot(|connection| read(connection, &from))?;
    }
    Ok(())
}
