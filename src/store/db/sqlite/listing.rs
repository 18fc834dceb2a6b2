//! Pages of keys and of open uploads, in byte order, with common prefixes.
//!
//! A page is one ordered scan of an index. When a key folds into a common prefix, the scan seeks
//! behind all keys with that prefix. So a page costs its entries, not the keys below its prefixes.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Row, Rows};

use super::database::Database;
use super::uploads::{UPLOAD_COLUMNS, read_upload};
use crate::access::{Bucket, Owner};
use crate::digest::ObjectChecksum;
use crate::store::error::Result;
use crate::store::error::damaged;
use crate::store::records::lists::{ListQuery, Listed, Page};
use crate::store::records::objects::ListedObject;
use crate::store::records::uploads::{UploadRecord, UploadsQuery};
use crate::store::rules::fold::{Fold, Lower, successor, text};
use crate::types::ETag;

/// The column of the key, in the rows of every scan. Columns have numbers here: to look a name up
/// costs more than to read a value, and a page has thousands of both.
const KEY: usize = 0;

/// A scan of an index, by two statements over the same rows.
struct Scan<'c> {
    /// Selects all columns of an entry.
    whole: CachedStatement<'c>,
    /// Selects the key, enough for a common prefix.
    keys: CachedStatement<'c>,
}

impl<'c> Scan<'c> {
    /// `rows`: where they are, with the bucket as ?1, the end as ?2, and the place to begin at as
    /// ?3 and, where several rows have one key, ?4.
    fn new(
        connection: &'c Connection,
        (columns, rows): (&str, &str),
        bucket: &Bucket,
        fold: &Fold<'_>,
    ) -> Result<Self> {
        // These two stay bound between seeks.
        let prepare = |columns: &str| -> Result<CachedStatement<'c>> {
            let mut statement = connection.prepare_cached(&format!("SELECT {columns} {rows}"))?;
            statement.raw_bind_parameter(1, bucket.id)?;
            statement.raw_bind_parameter(2, successor(fold.prefix))?;
            Ok(statement)
        };
        Ok(Self { whole: prepare(columns)?, keys: prepare("key")? })
    }

    /// The rows from a place on.
    fn seek(&mut self, lower: &Lower, only_keys: bool) -> rusqlite::Result<Rows<'_>> {
        let statement = if only_keys { &mut self.keys } else { &mut self.whole };
        statement.raw_bind_parameter(3, lower.key.as_slice())?;
        if statement.parameter_count() > 3 {
            statement.raw_bind_parameter(4, lower.id)?;
        }
        Ok(statement.raw_query())
    }
}

/// Walks the index; gives the page and the number of rows that were touched.
fn walk<T>(
    mut scan: Scan<'_>,
    fold: &Fold<'_>,
    mut lower: Lower,
    max: usize,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<(Page<T>, usize)> {
    let (mut entries, mut touched) = (Vec::new(), 0);
    if max == 0 {
        return Ok((Page { entries, truncated: false }, touched));
    }
    // A prefix is mostly followed by another one; any other key is read again, whole.
    let mut only_keys = fold.delimiter.is_some();
    'seek: loop {
        let mut rows = scan.seek(&lower, only_keys)?;
        while let Some(row) = rows.next()? {
            touched += 1;
            if entries.len() == max {
                return Ok((Page { entries, truncated: true }, touched));
            }
            let key = row.get_ref(KEY)?.as_blob().map_err(rusqlite::Error::from)?;
            if let Some(prefix) = fold.common_prefix(key) {
                lower = Lower::at(successor(prefix));
                entries.push(Listed::Prefix(text(prefix)));
                only_keys = true;
                continue 'seek;
            }
            if only_keys {
                only_keys = false;
                continue 'seek;
            }
            entries.push(Listed::Item(read(row)?));
        }
        return Ok((Page { entries, truncated: false }, touched));
    }
}

pub(crate) fn objects(
    db: &Database,
    bucket: &Bucket,
    query: &ListQuery,
) -> Result<Page<ListedObject>> {
    objects_counted(db, bucket, query).map(|(page, _)| page)
}

/// A page of objects, and the number of rows touched.
pub(crate) fn objects_counted(
    db: &Database,
    bucket: &Bucket,
    query: &ListQuery,
) -> Result<(Page<ListedObject>, usize)> {
    db.require_bucket(bucket)?;
    let fold = Fold::new(&query.prefix, query.delimiter.as_deref(), query.after.as_deref());
    db.readers.snapshot(|connection| {
        let columns = "key, size, md5, parts, modified, owner, checksum";
        let rows = "FROM objects WHERE bucket = ?1 AND key < ?2 AND key >= ?3 ORDER BY key";
        let scan = Scan::new(connection, (columns, rows), bucket, &fold)?;
        let mut owner = None;
        let read = |row: &Row<'_>| read_listed(db, row, &mut owner);
        walk(scan, &fold, fold.first(None), query.max, read)
    })
}

/// A row of the list. `owner` is that of the row before: mostly the same again.
fn read_listed(
    db: &Database,
    row: &Row<'_>,
    owner: &mut Option<Arc<Owner>>,
) -> Result<ListedObject> {
    let key = row.get_ref(KEY)?.as_blob().map_err(rusqlite::Error::from)?;
    let key = std::str::from_utf8(key).map_err(|_| damaged("a key that is no text"))?;
    let checksum = row.get_ref(6)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let checksum = checksum.map(|bytes| {
        ObjectChecksum::decode_kind(bytes).ok_or_else(|| damaged("an object's checksum"))
    });
    let owner_id = row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?;
    let owner = match owner {
        Some(owner) if owner.id == owner_id => owner,
        _ => owner.insert(Arc::new(db.directory().owner(owner_id))),
    };
    Ok(ListedObject {
        key: key.to_owned(),
        size: row.get(1)?,
        etag: ETag { md5: row.get(2)?, parts: row.get(3)? },
        modified: row.get(4)?,
        checksum: checksum.transpose()?,
        owner: Arc::clone(owner),
    })
}

pub(crate) fn uploads(
    db: &Database,
    bucket: &Bucket,
    query: &UploadsQuery,
) -> Result<Page<UploadRecord>> {
    db.require_bucket(bucket)?;
    let marker = query.key_marker.as_deref();
    let fold = Fold::new(&query.prefix, query.delimiter.as_deref(), marker);
    db.readers.snapshot(|connection| {
        let rows = "FROM uploads
             WHERE bucket = ?1 AND key < ?2 AND (key, id) >= (?3, ?4) ORDER BY key, id";
        let scan = Scan::new(connection, (UPLOAD_COLUMNS, rows), bucket, &fold)?;
        let lower = fold.first(query.upload_id_marker);
        let page = walk(scan, &fold, lower, query.max, |row| read_upload(db, row))?;
        Ok(page.0)
    })
}
