//! Deduplicated uploads: their parts reference an existing content, found at Create or by a proof.
//!
//! **Invariants**
//! - A deduplicated upload has a reference to its content and no part rows. A part that is stored
//!   later makes it an ordinary one: the content is dropped, and the declaration still binds.
//! - Complete passes the reference on to the object; nothing is inserted for the parts.
//! - No Create joins an upload that was filled by a proof: the second client has proven nothing.

use std::collections::HashSet;

use rusqlite::{Connection, Row, params};

use super::database::Database;
use super::job::Txn;
use super::{contents, declarations};
use crate::access::UploadPath;
use crate::digest::ChecksumAlgorithm;
use crate::store::db::sqlite::blob_row::read_blob;
use crate::store::db::sqlite::columns::{read_checksum, require_bucket};
use crate::store::db::sqlite::upload_changes::{UploadChange, changed};
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Pending;
use crate::store::records::contents::{ContentId, Filled, Proven, Readable, Via};
use crate::store::records::events::Cause;
use crate::store::records::uploads::{PartRecord, PartsPage, UploadRecord};
use crate::store::rules::complete::StoredPart;
use crate::store::rules::manifest::unpack_numbers;
use crate::types::{ETag, PartNumber, Timestamp, UploadId};

/// The content in the columns `content_kind` and `content` of an upload.
pub(crate) fn read_content(row: &Row<'_>) -> Result<Option<ContentId>> {
    match row.get::<_, Option<i64>>("content_kind")? {
        None => Ok(None),
        Some(_) => ContentId::read(row, "content_kind", "content").map(Some),
    }
}

/// Parts of a content with numbers above `after`, at most `max`; a single blob is one part. Each
/// with the time at which it was stored, if that is known, and with a checksum in `algorithm` if it
/// has one.
pub(crate) fn own_parts(
    connection: &Connection,
    content: ContentId,
    algorithm: Option<ChecksumAlgorithm>,
    after: u16,
    max: usize,
) -> Result<Vec<(StoredPart, Option<Timestamp>)>> {
    let manifest = match content {
        ContentId::Manifest(id) => id,
        ContentId::Blob(id) if after == 0 && max > 0 => {
            let digests = read_blob(connection, id)?.digests;
            let part = StoredPart {
                number: PartNumber::new(1).ok_or_else(|| damaged("part 1"))?,
                blob: id,
                size: digests.length,
                md5: digests.md5,
                checksum: algorithm
                    .and_then(|algorithm| digests.checksum_for(algorithm))
                    .or(digests.checksum),
                crc64nvme: digests.crc64nvme,
            };
            return Ok(vec![(part, None)]);
        }
        ContentId::Blob(_) => return Ok(Vec::new()),
    };
    let listed = listed(connection, manifest)?;
    let mut statement = connection.prepare_cached(
        "SELECT number, blob, size, md5, modified, checksum, crc64nvme FROM parts
         WHERE upload = ?1 AND number > ?2 ORDER BY number",
    )?;
    let mut rows = statement.query(params![manifest, after])?;
    let mut parts = Vec::new();
    while parts.len() < max
        && let Some(row) = rows.next()?
    {
        let number = row.get("number")?;
        // An unlisted part is not part of the content.
        if listed.contains(&number) {
            let part = StoredPart {
                number,
                blob: row.get("blob")?,
                size: row.get("size")?,
                md5: row.get("md5")?,
                checksum: read_checksum(row, "checksum")?,
                crc64nvme: row.get::<_, i64>("crc64nvme")?.cast_unsigned(),
            };
            parts.push((part, Some(row.get("modified")?)));
        }
    }
    Ok(parts)
}

fn listed(connection: &Connection, manifest: UploadId) -> Result<HashSet<PartNumber>> {
    let mut listed = HashSet::new();
    let mut statement =
        connection.prepare_cached("SELECT numbers FROM manifest_runs WHERE manifest = ?1")?;
    let mut rows = statement.query([manifest])?;
    while let Some(row) = rows.next()? {
        let numbers = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        let numbers = unpack_numbers(numbers);
        listed.extend(numbers.ok_or_else(|| damaged(format!("a run of {manifest}")))?);
    }
    Ok(listed)
}

/// Content of a deduplicated upload; `None` for any other upload.
pub(crate) fn content_of(connection: &Connection, id: UploadId) -> Result<Option<ContentId>> {
    let sql = "SELECT content_kind, content FROM uploads WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map_or(Ok(None), read_content)
}

/// Parts of a deduplicated upload.
pub(crate) fn list_parts(
    connection: &Connection,
    upload: UploadRecord,
    content: ContentId,
    after: u16,
    max: usize,
) -> Result<PartsPage> {
    let mut own = match max {
        0 => Vec::new(),
        max => {
            let algorithm = upload.checksum.map(|(algorithm, _)| algorithm);
            own_parts(connection, content, algorithm, after, max + 1)?
        }
    };
    let truncated = own.len() > max;
    own.truncate(max);
    let record = |(part, modified): (StoredPart, Option<Timestamp>)| PartRecord {
        number: part.number,
        size: part.size,
        etag: ETag::plain(part.md5),
        modified: modified.unwrap_or(upload.initiated),
        // In the upload's algorithm, as for a part that was sent.
        checksum: match upload.checksum {
            Some((algorithm, _)) => part.checksum_in(algorithm),
            None => part.checksum,
        },
    };
    let parts = own.into_iter().map(record).collect();
    Ok(PartsPage { parts, truncated, upload })
}

/// Fills an open upload without parts with the first content that can be taken.
pub(crate) fn fill(
    db: &Database,
    path: UploadPath,
    cause: Cause,
    proven: Vec<Proven>,
    takes_proof: bool,
) -> Pending<Filled> {
    let UploadPath { bucket, key, id } = path;
    db.write(move |txn| {
        require_bucket(txn, &bucket)?;
        let mut statement = txn.prepare(
            "SELECT declared, content_kind, content,
                 EXISTS (SELECT 1 FROM parts WHERE upload = ?1) AS has_parts
             FROM uploads WHERE id = ?1 AND bucket = ?2 AND key = ?3",
        )?;
        let mut rows = statement.query(params![id, bucket.id, key.as_bytes()])?;
        let row = rows.next()?.ok_or(Error::NoSuchUpload)?;
        if read_content(row)?.is_some() {
            return Ok(Filled::Instant);
        }
        if row.get("has_parts")? {
            return Ok(Filled::HasParts);
        }
        let declaration = declarations::of_row(txn.connection, row, id)?;
        let fits = |readable: &Readable| {
            let is_of_bucket = match &readable.candidate.via {
                Via::Object { bucket: of, part: None, .. } => of.id == bucket.id,
                Via::Object { .. } | Via::Part { .. } => false,
            };
            is_of_bucket && declaration.as_ref().is_some_and(|declared| readable.is(declared))
        };
        for Proven(readable) in proven.iter().filter(|_| takes_proof) {
            if fits(readable) && contents::take(txn, readable)? {
                adopt(txn, id, readable.content())?;
                changed(txn, id, UploadChange::Part, &cause)?;
                return Ok(Filled::Instant);
            }
        }
        Ok(Filled::Gone)
    })
}

/// Sets the content of an open upload. The caller has taken its reference.
fn adopt(txn: &Txn<'_>, id: UploadId, content: ContentId) -> Result<()> {
    let sql = "UPDATE uploads SET generation = generation + 1, last_active = ?2,
             content_kind = ?3, content = ?4 WHERE id = ?1";
    txn.execute(sql, params![id, txn.now(), content.kind(), content.bytes()])?;
    declarations::set_apart(txn, id)
}
