//! Extents in segments: no two blobs have a page in common.

use rusqlite::params;

use super::pages::{PAGE_ROWS, pages};
use crate::store::db::sqlite::database::Database;
use crate::store::error::Result;
use crate::types::BlobId;

/// Compares each extent with the one before it.
pub(crate) fn check(db: &Database, found: &mut Vec<String>) -> Result<()> {
    // The previous blob: its run, its first page, and the page behind its last one.
    pages(db, (0, -1, 0), |connection, &(run, first_page, end)| {
        let mut statement = connection.prepare_cached(
            "SELECT run, first_page, first_page + pages, id FROM blobs
             WHERE first_page IS NOT NULL AND (run, first_page) > (?1, ?2)
             ORDER BY run, first_page LIMIT ?3",
        )?;
        let mut rows = statement.query(params![run, first_page, PAGE_ROWS])?;
        let (mut before, mut last): ((i64, i64, i64), _) = ((run, first_page, end), None);
        while let Some(row) = rows.next()? {
            let this = (row.get(0)?, row.get(1)?, row.get(2)?);
            if this.0 == before.0 && this.1 < before.2 {
                let id: BlobId = row.get(3)?;
                found.push(format!("blob {id}: begins inside of another one"));
            }
            before = this;
            last = Some(before);
        }
        Ok(last)
    })
}
