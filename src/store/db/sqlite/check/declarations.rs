//! Check of declarations: each row belongs to an open upload, whose parts fit it.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::pages::{PAGE_ROWS, pages};
use crate::events::CallbackVar;
use crate::store::db::sqlite::columns::{read_declared, read_key};
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::{declarations, deduplicated};
use crate::store::error::Result;
use crate::store::records::uploads::NewUpload;
use crate::store::rules::fingerprint::{fingerprint, set_apart, with_content};
use crate::store::rules::headers::decode_headers;
use crate::types::{Layout, PartNumber, UploadId};

pub(crate) fn check(db: &Database, found: &mut Vec<String>) -> Result<()> {
    check_declared(db, found)?;
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT upload, next_part, fingerprint FROM declarations 
             WHERE upload > ?1 ORDER BY upload LIMIT ?2",
        )?;
        // A small page: the parts of each upload are read too.
        let mut rows = statement.query(params![after, 16])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: UploadId = row.get("upload")?;
            let named: Option<[u8; 32]> = row.get("fingerprint")?;
            if !may_be_named(connection, id, named)? {
                found.push(format!("declaration of {id}: its fingerprint should not be as it is"));
            }
            check_one(connection, id, row.get("next_part")?, found)?;
            last = Some(*id.as_bytes());
        }
        Ok(last)
    })
}

/// Declared uploads: each has its row in `declarations`.
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

/// False if an open upload cannot have this fingerprint. A content counts if the upload was created
/// with it. The name of one that parts have replaced is not known any more.
fn may_be_named(connection: &Connection, id: UploadId, named: Option<[u8; 32]>) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT bucket, key, initiator, headers, checksum_algorithm, checksum_type, callback_var,
             content_kind, content,
             EXISTS (SELECT 1 FROM parts WHERE upload = uploads.id) AS has_parts
         FROM uploads WHERE id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else { return Ok(true) };
    let callback_var: Option<Vec<u8>> = row.get("callback_var")?;
    let new = NewUpload {
        headers: decode_headers(row.get_ref("headers")?.as_blob().map_err(rusqlite::Error::from)?)?,
        checksum: read_declared(row)?,
        callback_var: callback_var.and_then(CallbackVar::from_bytes),
        declaration: Some(declarations::read(connection, id)?),
        instant: Vec::new(),
    };
    let user: String = row.get("initiator")?;
    let base = fingerprint(row.get("bucket")?, &user, &read_key(row, "key")?, &new);
    let content = deduplicated::read_content(row)?;
    let (Some(base), Some(named)) = (base, named) else { return Ok(base == named) };
    let with_content = with_content(base, content);
    let right = [base, with_content, set_apart(base, id), set_apart(with_content, id)];
    let is_forgotten = content.is_none() && row.get("has_parts")?;
    Ok(is_forgotten || right.contains(&named))
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
