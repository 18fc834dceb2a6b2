//! Check of single rows: what a row names exists and agrees with it.

use std::collections::{HashMap, HashSet};

use md5::{Digest as _, Md5};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::pages::{PAGE_ROWS, pages};
use crate::digest::{Checksum, ChecksumType};
use crate::store::db::sqlite::blob_row::read_blob;
use crate::store::db::sqlite::columns::{GarbageKind, read_checksum, read_object_checksum};
use crate::store::db::sqlite::connection::PAGE_BYTES;
use crate::store::db::sqlite::database::Database;
use crate::store::db::sqlite::{accounts, configurations};
use crate::store::error::Result;
use crate::store::memory::directory::Effect;
use crate::store::records::contents::ContentId;
use crate::store::rules::manifest::unpack_numbers;
use crate::types::{BlobId, ObjectKey, UploadId};

/// Bytes of database up to which SQLite checks itself with one statement.
const WHOLE_CHECK_BYTES_MAX: u64 = 256 << 20;

pub(crate) fn check(db: &Database, found: &mut Vec<String>) -> Result<()> {
    check_sqlite(db, found)?;
    check_directory(db, found)?;
    check_bucket_configurations(db, found)?;
    check_headers(db, found)?;
    check_uploads(db, found)?;
    check_parts(db, found)?;
    let etags = check_manifests(db, found)?;
    check_objects(db, &etags, found)?;
    check_garbage(db, found)
}

/// SQLite's own checks: table by table when one statement would hold a snapshot for too long.
fn check_sqlite(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let reader = db.readers.take()?;
    let pages: u64 = reader.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    let tables: Vec<String> = match pages * PAGE_BYTES <= WHOLE_CHECK_BYTES_MAX {
        true => vec!["100".to_owned()],
        false => reader
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?,
    };
    for table in tables {
        let mut statement = reader.prepare(&format!("PRAGMA integrity_check({table})"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let line: String = row.get(0)?;
            if line != "ok" {
                found.push(format!("SQLite: {}", line.replace('\n', " ")));
            }
        }
    }
    let mut statement = reader.prepare("PRAGMA foreign_key_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        found.push(format!("SQLite: a row of {table} names a row that {parent} lacks"));
    }
    Ok(())
}

/// Directory: memory and tables agree.
fn check_directory(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let stored = db.readers.snapshot(accounts::load)?;
    let directory = db.directory();
    let (mut users, mut keys, mut buckets) = (0, 0, 0);
    for effect in stored {
        let (same, what) = match effect {
            Effect::UserMade(user) => {
                users += 1;
                (directory.user(&user.name).as_ref() == Some(&user), format!("user {}", user.name))
            }
            Effect::KeySet(key) => {
                keys += 1;
                let held = directory.credential(&key.access_key_id);
                let same = held.is_some_and(|held| {
                    (held.enabled, held.created, &held.secret_access_key, &held.user)
                        == (key.enabled, key.created, &key.secret_access_key, &key.user)
                });
                (same, format!("access key {}", key.access_key_id))
            }
            Effect::BucketMade(bucket) => {
                buckets += 1;
                let same = directory.bucket(&bucket.name).as_ref() == Some(&bucket);
                (same, format!("bucket {}", bucket.name))
            }
            _ => continue,
        };
        if !same {
            found.push(format!("{what}: memory and table differ"));
        }
    }
    let held = (directory.users().len(), directory.keys(None).len(), directory.count_buckets());
    if held != (users, keys, buckets) {
        found.push(format!(
            "memory holds {held:?} users, keys and buckets, the tables {:?}",
            (users, keys, buckets)
        ));
    }
    Ok(())
}

/// Documents of buckets: the bucket exists, and memory holds the same document.
fn check_bucket_configurations(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let directory = db.directory();
    let mut stored = 0;
    db.readers.snapshot(|connection| {
        for effect in configurations::load(connection)? {
            let Effect::BucketConfigurationSet { bucket, kind, document } = effect else {
                continue;
            };
            stored += 1;
            if !has_bucket(connection, bucket)? {
                found.push(format!("{kind:?} configuration of bucket {bucket}: no such bucket"));
            }
            let held = directory.bucket_configuration(bucket, kind);
            if held.is_none_or(|held| held.bytes() != document.bytes()) {
                let what = format!("{kind:?} configuration of bucket {bucket}");
                found.push(format!("{what}: memory and table differ"));
            }
        }
        Ok(())
    })?;
    let held = directory.count_bucket_configurations();
    if held != stored {
        found.push(format!("memory holds {held} configurations of buckets, the table {stored}"));
    }
    Ok(())
}

fn has_bucket(connection: &Connection, bucket: i64) -> Result<bool> {
    Ok(connection.prepare_cached("SELECT 1 FROM buckets WHERE id = ?1")?.exists([bucket])?)
}

fn key_text(key: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(key))
}

/// MD5s that the ETags of manifests have.
type ManifestMd5s = HashMap<UploadId, [u8; 16]>;

/// Objects: bucket and content exist, and the content has the object's size and MD5.
fn check_objects(
    db: &Database,
    md5s_of_manifests: &ManifestMd5s,
    found: &mut Vec<String>,
) -> Result<()> {
    pages(db, (i64::MIN, Vec::new()), |connection, (bucket, key)| {
        let mut statement = connection.prepare_cached(
            "SELECT bucket, key, is_null, size, md5, parts, content_kind, content, checksum
             FROM objects
             WHERE (bucket, key) > (?1, ?2) ORDER BY bucket, key LIMIT ?3",
        )?;
        let mut rows = statement.query(params![bucket, key, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (bucket, key): (i64, Vec<u8>) = (row.get("bucket")?, row.get("key")?);
            let name = format!("object {} of bucket {bucket}", key_text(&key));
            if !has_bucket(connection, bucket)? {
                found.push(format!("{name}: there is no such bucket"));
            }
            if ObjectKey::parse(&key).is_err() {
                found.push(format!("{name}: not a key"));
            }
            // Buckets have no versions yet.
            if !row.get::<_, bool>("is_null")? {
                found.push(format!("{name}: it is not the null version"));
            }
            let checksum = read_object_checksum(row, "checksum")?;
            let content = ContentId::read(row, "content_kind", "content")?;
            let wanted = (row.get("size")?, row.get("parts")?);
            match read_content(connection, content)? {
                None => found.push(format!("{name}: its {content:?} has no row")),
                Some((_, _, _, true)) => found.push(format!("{name}: its {content:?} is dead")),
                Some((size, parts, md5, _)) => {
                    // A copy of a multipart object keeps its parts; an object of one blob has none.
                    if (size, parts) != wanted {
                        found.push(format!("{name}: its {content:?} has another size or parts"));
                    }
                    let md5 = match content {
                        ContentId::Blob(_) => md5,
                        ContentId::Manifest(id) => md5s_of_manifests.get(&id).copied(),
                    };
                    // The checksum of the checksums of parts is of no blob.
                    let of_bytes = checksum.filter(|it| it.kind == ChecksumType::FullObject);
                    if let (ContentId::Blob(id), Some(checksum)) = (content, of_bytes)
                        && contradicts(connection, id, &checksum.checksum)?
                    {
                        found.push(format!("{name}: its {content:?} has another checksum"));
                    }
                    // A manifest that is new since its table was read has no MD5 here.
                    if md5.is_some_and(|md5| Some(md5) != row.get("md5").ok()) {
                        found.push(format!("{name}: its {content:?} has another MD5 (ETag)"));
                    }
                }
            }
            last = Some((bucket, key));
        }
        Ok(last)
    })
}

/// Size, number of parts, MD5 of a blob, dead.
type ContentState = (u64, Option<u16>, Option<[u8; 16]>, bool);

fn read_content(connection: &Connection, content: ContentId) -> Result<Option<ContentState>> {
    let sql = match content {
        ContentId::Blob(_) => "SELECT size, NULL, md5, dead FROM blobs WHERE id = ?1",
        ContentId::Manifest(_) => "SELECT size, parts, NULL, dead FROM manifests WHERE id = ?1",
    };
    let mut statement = connection.prepare_cached(sql)?;
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
    Ok(statement.query_row([content.bytes()], read).optional()?)
}

/// True if the blob's row has another value in the algorithm of the checksum.
fn contradicts(connection: &Connection, blob: BlobId, checksum: &Checksum) -> Result<bool> {
    let of_blob = read_blob(connection, blob)?.digests.checksum_for(checksum.algorithm);
    Ok(of_blob.is_some_and(|of_blob| of_blob != *checksum))
}

/// Headers: each row belongs to an object or version.
fn check_headers(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let first = (i64::MIN, Vec::new(), i64::MIN);
    pages(db, first, |connection, (bucket, key, seq)| {
        let mut statement = connection.prepare_cached(
            "SELECT bucket, key, seq,
                 EXISTS (SELECT 1 FROM objects AS o
                         WHERE o.bucket = h.bucket AND o.key = h.key AND o.seq = h.seq)
                 OR EXISTS (SELECT 1 FROM versions AS v WHERE v.bucket = h.bucket
                            AND v.key = h.key AND v.inverted_seq = ~h.seq) AS owned
             FROM object_headers AS h WHERE (bucket, key, seq) > (?1, ?2, ?3)
             ORDER BY bucket, key, seq LIMIT ?4",
        )?;
        let mut rows = statement.query(params![bucket, key, seq, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (bucket, key): (i64, Vec<u8>) = (row.get("bucket")?, row.get("key")?);
            if !row.get::<_, bool>("owned")? {
                let key = key_text(&key);
                found.push(format!("headers of {key} in bucket {bucket}: there is no such object"));
            }
            last = Some((bucket, key, row.get("seq")?));
        }
        Ok(last)
    })
}

/// Uploads: the bucket exists, or is queued as garbage.
fn check_uploads(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let queued = read_queued(db, GarbageKind::Bucket)?;
    pages(db, [0_u8; 16], |connection, after| {
        let mut statement = connection
            .prepare_cached("SELECT id, bucket FROM uploads WHERE id > ?1 ORDER BY id LIMIT ?2")?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let (id, bucket): (UploadId, i64) = (row.get("id")?, row.get("bucket")?);
            if !has_bucket(connection, bucket)? && !queued.contains(&bucket.to_be_bytes()[..]) {
                found.push(format!("upload {id}: bucket {bucket} is not there"));
            }
            last = Some(*id.as_bytes());
        }
        Ok(last)
    })
}

/// Parts: upload or manifest exists or is queued as garbage; the blob is alive and has the same
/// digests.
fn check_parts(db: &Database, found: &mut Vec<String>) -> Result<()> {
    let queued = read_queued(db, GarbageKind::Upload)?;
    pages(db, ([0_u8; 16], 0_i64), |connection, (upload, number)| {
        let mut statement = connection.prepare_cached(
            "SELECT upload, number, blobs.id IS NOT NULL AND dead = 0 AS alive,
                 blobs.size = parts.size AND blobs.md5 = parts.md5
                 AND blobs.crc64nvme = parts.crc64nvme AS same, blob, parts.checksum
             FROM parts LEFT JOIN blobs ON blobs.id = blob
             WHERE (upload, number) > (?1, ?2) ORDER BY upload, number LIMIT ?3",
        )?;
        let mut rows = statement.query(params![upload, number, PAGE_ROWS])?;
        let (mut last, mut owner): (Option<(UploadId, i64)>, bool) = (None, false);
        while let Some(row) = rows.next()? {
            let (id, number): (UploadId, i64) = (row.get("upload")?, row.get("number")?);
            if last.is_none_or(|(before, _)| before != id) {
                owner = queued.contains(&id.as_bytes()[..]) || has_owner(connection, id)?;
            }
            if !owner {
                found.push(format!("part {number} of {id}: neither upload nor manifest is there"));
            }
            if !row.get::<_, bool>("alive")? {
                found.push(format!("part {number} of {id}: its blob is dead or has no row"));
            } else if !row.get::<_, bool>("same")? {
                found.push(format!("part {number} of {id}: its blob has other digests"));
            } else if let Some(checksum) = read_checksum(row, "checksum")?
                && contradicts(connection, row.get("blob")?, &checksum)?
            {
                found.push(format!("part {number} of {id}: its blob has another checksum"));
            }
            last = Some((id, number));
        }
        Ok(last.map(|(id, number)| (*id.as_bytes(), number)))
    })
}

fn has_owner(connection: &Connection, id: UploadId) -> Result<bool> {
    let sql = "SELECT 1 FROM uploads WHERE id = ?1 UNION ALL SELECT 1 FROM manifests WHERE id = ?1";
    Ok(connection.prepare_cached(sql)?.exists([id])?)
}

/// Ids in rows of garbage of one kind: the table has no index for it.
fn read_queued(db: &Database, kind: GarbageKind) -> Result<HashSet<Vec<u8>>> {
    let mut queued = HashSet::new();
    pages(db, 0_i64, |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, ref FROM garbage WHERE id > ?1 AND kind = ?2 ORDER BY id LIMIT ?3",
        )?;
        let mut rows = statement.query(params![after, kind as i64, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            queued.insert(row.get("ref")?);
            last = Some(row.get("id")?);
        }
        Ok(last)
    })?;
    Ok(queued)
}

/// Manifests: runs are contiguous, and their parts exist. Gives the MD5s of their ETags.
fn check_manifests(db: &Database, found: &mut Vec<String>) -> Result<ManifestMd5s> {
    let mut md5s = HashMap::new();
    let queued = read_queued(db, GarbageKind::Unlisted)?;
    let mut ids: Vec<UploadId> = Vec::new();
    pages(db, [0_u8; 16], |connection, after| {
        let sql = "SELECT id FROM manifests WHERE id > ?1 AND dead = 0 ORDER BY id LIMIT ?2";
        ids = connection
            .prepare_cached(sql)?
            .query_map(params![after, 16], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for id in &ids {
            let (listed, md5) = check_manifest(connection, *id, found)?;
            md5s.insert(*id, md5);
            let sql = "SELECT count(*) FROM parts WHERE upload = ?1";
            let stored: usize =
                connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?;
            if stored > listed && !queued.contains(&id.as_bytes()[..]) {
                found.push(format!("manifest {id}: unlisted parts are not queued to be freed"));
            }
        }
        Ok(ids.last().map(|id| *id.as_bytes()))
    })?;
    Ok(md5s)
}

/// Checks one manifest; returns the number of parts that it lists, and the MD5 of its ETag.
fn check_manifest(
    connection: &Connection,
    id: UploadId,
    found: &mut Vec<String>,
) -> Result<(usize, [u8; 16])> {
    let (size, parts): (u64, usize) = connection
        .prepare_cached("SELECT size, parts FROM manifests WHERE id = ?1")?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement = connection.prepare_cached(
        "SELECT first_offset, first_number, numbers FROM manifest_runs
         WHERE manifest = ?1 ORDER BY first_offset, first_number",
    )?;
    let mut part = connection
        .prepare_cached("SELECT size, md5 FROM parts WHERE upload = ?1 AND number = ?2")?;
    let mut md5 = Md5::new();
    let mut rows = statement.query([id])?;
    let (mut offset, mut count, mut highest) = (0, 0, 0);
    while let Some(row) = rows.next()? {
        let packed: Vec<u8> = row.get("numbers")?;
        let first: (u64, u16) = (row.get("first_offset")?, row.get("first_number")?);
        let Some(numbers) = unpack_numbers(&packed) else {
            found.push(format!("manifest {id}: a run without proper numbers"));
            continue;
        };
        if first != (offset, numbers[0].get()) || numbers[0].get() <= highest {
            found.push(format!("manifest {id}: the run at {} is not in its place", first.0));
        }
        for number in &numbers {
            let read = |row: &Row<'_>| Ok((row.get::<_, u64>(0)?, row.get::<_, [u8; 16]>(1)?));
            match part.query_row(params![id, number], read).optional()? {
                Some((size, of_part)) => {
                    offset += size;
                    md5.update(of_part);
                }
                None => found.push(format!("manifest {id}: part {number} has no row")),
            }
        }
        highest = numbers.last().map_or(highest, |number| number.get());
        count += numbers.len();
    }
    if (offset, count) != (size, parts) {
        found.push(format!(
            "manifest {id}: {count} parts of {offset} bytes, but its row says {parts} of {size}"
        ));
    }
    Ok((count, md5.finalize().into()))
}

/// Garbage: what a row names is dead, or has no owner.
fn check_garbage(db: &Database, found: &mut Vec<String>) -> Result<()> {
    pages(db, 0_i64, |connection, after| {
        let mut statement = connection.prepare_cached(
            "SELECT id, kind, ref FROM garbage WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let mut rows = statement.query(params![after, PAGE_ROWS])?;
        let mut last = None;
        while let Some(row) = rows.next()? {
            let id: i64 = row.get("id")?;
            last = Some(id);
            let reference: Vec<u8> = row.get("ref")?;
            let (sql, wanted, what) = match GarbageKind::from_code(row.get("kind")?) {
                Some(GarbageKind::Blob) => {
                    ("SELECT 1 FROM blobs WHERE id = ?1 AND dead = 1", true, "a dead blob")
                }
                Some(GarbageKind::Manifest) => {
                    ("SELECT 1 FROM manifests WHERE id = ?1 AND dead = 1", true, "a dead manifest")
                }
                Some(GarbageKind::Upload) => {
                    ("SELECT 1 FROM uploads WHERE id = ?1", false, "an upload that is not open")
                }
                Some(GarbageKind::Unlisted) => {
                    ("SELECT 1 FROM uploads WHERE id = ?1", false, "an upload that is not open")
                }
                Some(GarbageKind::Bucket) => continue,
                None => {
                    found.push(format!("garbage row {id}: of no known kind"));
                    continue;
                }
            };
            if connection.prepare_cached(sql)?.exists([&reference])? != wanted {
                found.push(format!("garbage row {id}: does not name {what}"));
            }
        }
        Ok(last)
    })
}
