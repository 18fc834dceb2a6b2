//! Check of declarations: each row belongs to an open upload, whose parts fit it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::pages::{PAGE_ROWS, pages};
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::declarations;
use crate::store::error::Result;
use crate::types::{Layout, PartNumber, UploadId};

pub(crate) fn check(db: &Database, found: &mut Vec<String>) -> Result<()> {
    check_declared(db, found)?;
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT upload, next_part, fingerprint IS NULL AS unnamed, size, sha256
             FROM declarations WHERE upload > ?1 ORDER BY upload LIMIT ?2",
        )?;
        // A small page: the parts of each upload are read too.
        let mut rows = statement.query(params![after, 16])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: UploadId = row.get("upload")?;
            let of_file = row.get::<_, Option<u64>>("size")?.is_some()
                && row.get::<_, Option<[u8; 32]>>("sha256")?.is_some();
            if row.get::<_, bool>("unnamed")? == of_file {
                found.push(format!("declaration of {id}: its fingerprint should not be as it is"));
            }
            check_one(connection, id, row.get("next_part")?, found)?;
            last = Some(*id.as_bytes());
        }
        Ok(last)
    })
}

/// An upload that says it is declared has its row.
fn check_declared(db: &Database, found: &mut Vec<String>) -> Result<()> {
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, declared IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM declarations WHERE upload = id) AS lost
             FROM uploads WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: UploadId = row.get("id")?;
            if row.get("lost")? {
                found.push(format!("upload {id}: its declaration is not there"));
            }
            last = Some(*id.as_bytes());
        }
        Ok(last)
    })
}

fn check_one(
    connection: &Connection,
    id: UploadId,
    next_part: u16,
    found: &mut Vec<String>,
) -> Result<()> {
    let declared: Option<Option<bool>> = connection
        .prepare_cached("SELECT declared FROM uploads WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    if declared != Some(Some(true)) {
        found.push(format!("declaration of {id}: there is no such open and declared upload"));
    }
    let layout = declarations::read(connection, id)?.layout;
    let mut statement = connection
        .prepare_cached("SELECT number, size FROM parts WHERE upload = ?1 ORDER BY number")?;
    let mut rows = statement.query([id])?;
    let mut lowest = 1;
    while let Some(row) = rows.next()? {
        let (number, size): (PartNumber, u64) = (row.get("number")?, row.get("size")?);
        let fits = |layout: Layout| layout.bytes_of(number) == Some(size);
        if !layout.is_none_or(fits) {
            found.push(format!("part {number} of {id}: {size} bytes are not what was declared"));
        }
        lowest += u16::from(number.get() == lowest);
    }
    if lowest != next_part {
        found.push(format!(
            "declaration of {id}: it says that part {next_part} is missing first, not {lowest}"
        ));
    }
    Ok(())
}
