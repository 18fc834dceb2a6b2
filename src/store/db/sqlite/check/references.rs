//! Check of reference counts: objects and versions to contents, parts to blobs, garbage to dead
//! contents, blobs to inline bytes.
//!
//! No index leads from a content to its references, so they are counted in memory. When there are
//! too many for that, one slice of all ids is counted at a time.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, params};

use super::pages::{PAGE_ROWS, pages};
use crate::digest::{Hasher, WantedDigests};
use crate::store::db::sqlite::blob_row::load_blob;
use crate::store::db::sqlite::columns::GarbageKind;
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::deduplicated;
use crate::store::error::{Error, Result};
use crate::store::records::check::Depth;
use crate::store::records::contents::ContentId;
use crate::types::{BlobId, UploadId};

/// Ids counted in memory at once.
const COUNTED_MAX: usize = 4 << 20;

/// One of `of` equal shares of all ids.
#[derive(Clone, Copy)]
struct Slice {
    index: u64,
    of: u64,
}

impl Slice {
    fn takes(self, id: &[u8; 16]) -> bool {
        // The tail of an id is random.
        let tail = id.iter().skip(8).fold(0, |tail, &byte| tail << 8 | u64::from(byte));
        tail % self.of == self.index
    }

    fn takes_row(self, row: i64) -> bool {
        row.cast_unsigned() % self.of == self.index
    }
}

/// Counts of one slice.
#[derive(Default)]
struct Counts {
    contents: HashMap<ContentId, i64>,
    queued: HashSet<ContentId>,
    inline_rows: HashSet<i64>,
}

impl Counts {
    fn is_too_large(&self) -> bool {
        self.contents.len() + self.queued.len() + self.inline_rows.len() > COUNTED_MAX
    }
}

pub(crate) fn check(db: &Database, depth: Depth, found: &mut Vec<String>) -> Result<()> {
    let mut of = 1;
    while !check_slices(db, of, depth, found)? {
        of *= 4;
    }
    Ok(())
}

/// Checks all ids in `of` slices. False, with nothing reported, when a slice is too large.
fn check_slices(db: &Database, of: u64, depth: Depth, found: &mut Vec<String>) -> Result<bool> {
    let mut lines = Vec::new();
    for index in 0..of {
        let slice = Slice { index, of };
        let Some(mut counts) = count(db, slice)? else { return Ok(false) };
        compare_blobs(db, slice, depth, &mut counts, &mut lines)?;
        compare_manifests(db, slice, &counts, &mut lines)?;
        compare_inline(db, slice, &counts, &mut lines)?;
    }
    found.append(&mut lines);
    Ok(true)
}

/// Counts one slice; `None` when it is too large.
fn count(db: &Database, slice: Slice) -> Result<Option<Counts>> {
    let mut counts = Counts::default();
    for (table, version) in [("objects", "0"), ("versions", "inverted_seq")] {
        let sql = format!(
            "SELECT bucket, key, {version} AS version, content_kind, content FROM {table}
             WHERE bucket >= ?1 AND (bucket, key, {version}) > (?1, ?2, ?3)
             ORDER BY bucket, key, version LIMIT ?4"
        );
        let first = (i64::MIN, Vec::new(), i64::MIN);
        pages(db, first, |connection, (bucket, key, version)| {
            let mut statement = connection.prepare_cached(&sql)?;
            let mut rows = statement.query(params![bucket, key, version, PAGE_ROWS])?;
            let mut last = None;
            while let Some(row) = rows.next()? {
                let content = ContentId::read(row, "content_kind", "content")?;
                if slice.takes(&content.bytes()) {
                    *counts.contents.entry(content).or_default() += 1;
                }
                last = Some((row.get("bucket")?, row.get("key")?, row.get("version")?));
            }
            Ok(last.filter(|_| !counts.is_too_large()))
        })?;
    }
    count_parts(db, slice, &mut counts)?;
    count_deduplicated(db, slice, &mut counts)?;
    count_queue(db, slice, &mut counts)?;
    Ok((!counts.is_too_large()).then_some(counts))
}

fn count_parts(db: &Database, slice: Slice, counts: &mut Counts) -> Result<()> {
    pages(db, ([0_u8; 16], 0_i64), |connection, (upload, number)| {
        let mut statement = connection.prepare_cached(
            "SELECT upload, number, blob FROM parts WHERE (upload, number) > (?1, ?2)
             ORDER BY upload, number LIMIT ?3",
        )?;
        let mut rows = statement.query(params![upload, number, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let blob: BlobId = row.get("blob")?;
            if slice.takes(blob.as_bytes()) {
                *counts.contents.entry(ContentId::Blob(blob)).or_default() += 1;
            }
            last = Some((row.get("upload")?, row.get("number")?));
        }
        Ok(last.filter(|_| !counts.is_too_large()))
    })
}

/// Counts references of deduplicated uploads: one each.
fn count_deduplicated(db: &Database, slice: Slice, counts: &mut Counts) -> Result<()> {
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, content_kind, content FROM uploads WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            if let Some(content) = deduplicated::read_content(row)?
                && slice.takes(&content.bytes())
            {
                *counts.contents.entry(content).or_default() += 1;
            }
            last = Some(row.get("id")?);
        }
        Ok(last.filter(|_| !counts.is_too_large()))
    })
}

fn count_queue(db: &Database, slice: Slice, counts: &mut Counts) -> Result<()> {
    pages(db, 0_i64, |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, kind, ref FROM garbage WHERE id > ?1 AND kind IN (1, 2)
             ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: [u8; 16] = row.get("ref")?;
            let content = match GarbageKind::from_code(row.get("kind")?) {
                Some(GarbageKind::Blob) => ContentId::Blob(BlobId::from_bytes(id)),
                _ => ContentId::Manifest(UploadId::from_bytes(id)),
            };
            if slice.takes(&id) {
                counts.queued.insert(content);
            }
            last = Some(row.get("id")?);
        }
        Ok(last.filter(|_| !counts.is_too_large()))
    })
}

/// Compares the reference count of a row with the counted one, and its death with the queue.
fn compare(content: ContentId, refs: i64, dead: bool, counts: &Counts) -> Option<String> {
    let counted = counts.contents.get(&content).copied().unwrap_or(0);
    let name = match content {
        ContentId::Blob(id) => format!("blob {id}"),
        ContentId::Manifest(id) => format!("manifest {id}"),
    };
    if refs != counted {
        return Some(format!("{name}: its row says {refs} references, there are {counted}"));
    }
    match (dead, counts.queued.contains(&content)) {
        (true, false) => Some(format!("{name}: dead, but not queued to be freed")),
        (false, true) => Some(format!("{name}: queued to be freed, but alive")),
        _ => None,
    }
}

fn compare_blobs(
    db: &Database,
    slice: Slice,
    depth: Depth,
    counts: &mut Counts,
    found: &mut Vec<String>,
) -> Result<()> {
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT blobs.id, refs, dead, run, size, inline_row, first_page, pages,
                 length(bytes) AS length
             FROM blobs LEFT JOIN inline_bytes ON inline_bytes.id = inline_row
             WHERE blobs.id > ?1 ORDER BY blobs.id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: BlobId = row.get("id")?;
            last = Some(*id.as_bytes());
            let inline: Option<i64> = row.get("inline_row")?;
            if let Some(inline) = inline.filter(|&inline| slice.takes_row(inline))
                && !counts.inline_rows.insert(inline)
            {
                found.push(format!("blob {id}: shares its inline bytes with another blob"));
            }
            if !slice.takes(id.as_bytes()) {
                continue;
            }
            found.extend(compare(ContentId::Blob(id), row.get("refs")?, row.get("dead")?, counts));
            let (run, page): (u64, Option<u64>) = (row.get("run")?, row.get("first_page")?);
            let is_packed = page.is_some();
            let has_pages = row.get::<_, Option<u64>>("pages")?.is_some();
            if (inline.is_some(), is_packed) != (run == 0, has_pages) || (run == 0 && is_packed) {
                found.push(format!("blob {id}: its row names more or less than one place"));
            }
            if inline.is_none() {
                continue;
            }
            if row.get::<_, Option<u64>>("length")? != Some(row.get("size")?) {
                found.push(format!("blob {id}: its inline bytes are not there, or not as many"));
            } else if depth == Depth::Blocks && !inline_verifies(connection, id)? {
                found.push(format!("blob {id}: its inline bytes do not verify"));
            }
        }
        Ok(last)
    })
}

/// True if the bytes of a blob in SQLite have all digests of its row.
fn inline_verifies(connection: &Connection, id: BlobId) -> Result<bool> {
    let (blob, bytes) = match load_blob(connection, id) {
        Ok((blob, Some(bytes))) => (blob, bytes),
        Ok((_, None)) | Err(Error::Damaged { .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let checksum = blob.digests.checksum.as_ref().map(|checksum| checksum.algorithm);
    let sha256 = blob.digests.sha256.is_some();
    let mut hasher = Hasher::new(WantedDigests { sha256, checksum });
    hasher.update(&bytes);
    Ok(hasher.finish() == blob.digests)
}

fn compare_manifests(
    db: &Database,
    slice: Slice,
    counts: &Counts,
    found: &mut Vec<String>,
) -> Result<()> {
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, refs, dead FROM manifests WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: UploadId = row.get("id")?;
            last = Some(*id.as_bytes());
            if slice.takes(id.as_bytes()) {
                let content = ContentId::Manifest(id);
                found.extend(compare(content, row.get("refs")?, row.get("dead")?, counts));
            }
        }
        Ok(last)
    })
}

fn compare_inline(
    db: &Database,
    slice: Slice,
    counts: &Counts,
    found: &mut Vec<String>,
) -> Result<()> {
    pages(db, i64::MIN, |connection, after| {
        let mut statement = connection
            .prepare_cached("SELECT id FROM inline_bytes WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get("id")?;
            last = Some(id);
            if slice.takes_row(id) && !counts.inline_rows.contains(&id) {
                found.push(format!("inline bytes {id}: no blob has them"));
            }
        }
        Ok(last)
    })
}
