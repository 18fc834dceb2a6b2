//! Uploads that are born complete: the parts of the content that they have; and parts that are
//! stored by reference.
//!
//! **Invariants**
//! - Such an upload has a reference to its content and no part rows. A part that is stored after
//!   all makes it an ordinary one: the content is dropped, and what was declared binds as ever.
//! - Its reference goes to the object that Complete publishes; nothing is inserted for the parts.

use std::collections::HashSet;

use rusqlite::{Connection, Row, params};

use super::prepare::StoredPart;
use super::rows::{damaged, read_checksum};
use super::uploads::{Place, replace_part, touch};
use super::{ContentId, contents};
use crate::access::Permit;
use crate::digest::ChecksumAlgorithm;
use crate::store::content::{read_blob, unpack_numbers};
use crate::store::engine::Engine;
use crate::store::error::Result;
use crate::store::instant::{InstantPart, Readable};
use crate::store::pending::Pending;
use crate::store::records::{AddedPart, PartRecord, PartsPage, UploadRecord};
use crate::types::{ETag, ObjectKey, PartNumber, Timestamp, UploadId};

/// The content in the columns `content_kind` and `content` of an upload.
pub(crate) fn read_content(row: &Row<'_>) -> Result<Option<ContentId>> {
    match row.get::<_, Option<i64>>("content_kind")? {
        None => Ok(None),
        Some(_) => ContentId::read(row, "content_kind", "content").map(Some),
    }
}

/// At most `max` parts of a content with numbers above `after`; a single blob is one part. With the
/// time at which each was stored, if it is known, and a checksum in `algorithm` where there is one.
pub(super) fn own_parts(
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
        // One that is not listed is not part of the content.
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

/// What an open upload was born with, unless parts were stored since.
pub(crate) fn content_of(connection: &Connection, id: UploadId) -> Result<Option<ContentId>> {
    let sql = "SELECT content_kind, content FROM uploads WHERE id = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([id])?;
    rows.next()?.map_or(Ok(None), read_content)
}

/// The parts of an upload that was born complete.
pub(super) fn list_parts(
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
        // As a part that is sent shows it: in the upload's algorithm.
        checksum: match upload.checksum {
            Some((algorithm, _)) => part.checksum_in(algorithm),
            None => part.checksum,
        },
    };
    let parts = own.into_iter().map(record).collect();
    Ok(PartsPage { parts, truncated, upload })
}

/// Stores parts by reference, each from the first of its contents that can still be taken; `None`
/// for a part that has none any more. All in one transaction, so there must not be many.
pub(crate) fn put_parts(
    engine: &Engine,
    permit: &Permit,
    key: &ObjectKey,
    upload: UploadId,
    parts: Vec<InstantPart>,
) -> Pending<Vec<Option<AddedPart>>> {
    let (permit, key) = (permit.clone(), key.clone());
    engine.write(move |txn| {
        let put = |part: &InstantPart| {
            let place = Place::new(&permit, &key, (upload, part.number));
            let taken = contents::take_first(txn, &part.readables)?;
            let Some((blob, digests)) = taken.and_then(Readable::single) else { return Ok(None) };
            let touched = touch(txn, &place, digests.length)?;
            let known = touched.algorithm.and_then(|algorithm| digests.checksum_for(algorithm));
            let checksum = known.or_else(|| part.checksum.clone());
            let checksum = checksum.or_else(|| digests.checksum.clone());
            let added = replace_part(txn, &place, blob, digests, checksum)?;
            touched.added(txn, &place, added).map(Some)
        };
        parts.iter().map(put).collect()
    })
}
