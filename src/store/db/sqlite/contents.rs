//! Contents by their bytes: found by SHA-256 and size, shared by reference.
//!
//! **Invariants**
//! - Only live contents in files of [`SHARED_BYTES_MIN`] or more are found: the partial indexes
//!   hold no others.
//! - A search reads a bounded number of contents and objects. It makes the same lookups when there
//!   is no such content.
//! - A reference is taken only after the same transaction has checked that the object or part by
//!   which the content was found still has it.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::database::Database;
use super::job::Txn;
use crate::access::{Bucket, User, may_anything};
use crate::digest::{ChecksumAlgorithm, Digests};
use crate::store::blobs::staged::{Home, StagedBlob};
use crate::store::db::sqlite::columns::{insert_blob, read_digests, read_key, reference};
use crate::store::error::Result;
use crate::store::records::contents::{
    Candidate, ContentId, Readable, SHARED_BYTES_MIN, Via, Wanted,
};
use crate::store::rules::manifest::unpack_numbers;
use crate::types::{BlobId, BucketName, ObjectKey, PartNumber, UploadId};

/// Contents of the same bytes that one search reads, the newest first; and seeks from bucket to
/// bucket with one content. Many, because contents that the user may not read must not hide those
/// that it may.
const SCANNED_MAX: usize = 1024;
/// Candidates that a search returns.
const CANDIDATES_MAX: usize = 32;
/// Objects of one content, for each prefix in the target's bucket.
const FOUND_KEYS_MAX: usize = 4;
/// Buckets with one content that the user may read from, besides the target's.
const FOUND_BUCKETS_MAX: usize = 16;
/// Parts with one blob that a search reads.
const FOUND_PARTS_MAX: usize = 8;

/// A search: the user, and the content wanted.
struct Search<'a> {
    db: &'a Database,
    connection: &'a Connection,
    bucket: &'a Arc<Bucket>,
    user: &'a Arc<User>,
    wanted: &'a Wanted,
}

/// Whole contents with the wanted digests: single blobs and multipart objects.
pub(crate) fn find_whole(
    db: &Database,
    bucket: &Arc<Bucket>,
    user: &Arc<User>,
    wanted: &Wanted,
) -> Result<Vec<Candidate>> {
    db.require_bucket(bucket)?;
    db.readers.snapshot(|connection| {
        let search = Search { db, connection, bucket, user, wanted };
        let blobs = search.blobs()?.into_iter().map(|(id, of)| (ContentId::Blob(id), of));
        let manifests = search.manifests()?.into_iter().map(|id| (ContentId::Manifest(id), None));
        gather(blobs.chain(manifests), |(content, digests), found| {
            search.objects_of(content, None, digests, found)
        })
    })
}

/// Single blobs with the wanted digests: objects, parts of objects, and parts of open uploads of
/// the same user.
pub(crate) fn find_blobs(
    db: &Database,
    bucket: &Arc<Bucket>,
    user: &Arc<User>,
    wanted: &Wanted,
) -> Result<Vec<Candidate>> {
    db.require_bucket(bucket)?;
    db.readers.snapshot(|connection| {
        let search = Search { db, connection, bucket, user, wanted };
        gather(search.blobs()?, |(id, digests), found| {
            search.objects_of(ContentId::Blob(id), None, digests.clone(), found)?;
            search.parts_of(id, digests, found)
        })
    })
}

/// Calls `look` for each content until there are enough candidates.
fn gather<C>(
    contents: impl IntoIterator<Item = C>,
    look: impl Fn(C, &mut Vec<Candidate>) -> Result<()>,
) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for content in contents {
        if found.len() >= CANDIDATES_MAX {
            break;
        }
        look(content, &mut found)?;
    }
    Ok(found)
}

impl Search<'_> {
    /// Live blobs of these bytes. If there is none, an unused id stands in, so that the same
    /// lookups follow.
    fn blobs(&self) -> Result<Vec<(BlobId, Option<Digests>)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, size, md5, crc64nvme, sha256, checksum FROM blobs
             WHERE sha256 = ?1 AND size = ?2 AND dead = 0 AND sha256 IS NOT NULL
                 AND inline_row IS NULL AND size >= 65536
             ORDER BY id DESC LIMIT ?3",
        )?;
        let mut rows =
            statement.query(params![self.wanted.sha256, self.wanted.size, SCANNED_MAX])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let digests = read_digests(row, 1)?;
            let wanted = self.wanted.algorithm;
            if wanted.is_none_or(|algorithm| digests.checksum_for(algorithm).is_some()) {
                found.push((row.get(0)?, Some(digests)));
            }
        }
        if found.is_empty() {
            found.push((BlobId::from_bytes([0xff; 16]), None));
        }
        Ok(found)
    }

    /// Live manifests of these bytes. If there is none, an unused id stands in.
    fn manifests(&self) -> Result<Vec<UploadId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM manifests
             WHERE sha256 = ?1 AND size = ?2 AND dead = 0 AND sha256 IS NOT NULL
                 AND size >= 65536
             ORDER BY id DESC LIMIT ?3",
        )?;
        let found = statement
            .query_map(params![self.wanted.sha256, self.wanted.size, SCANNED_MAX], |row| {
                row.get(0)
            })?;
        let mut found: Vec<UploadId> = found.collect::<rusqlite::Result<_>>()?;
        if let Some(algorithm) = self.wanted.algorithm.filter(|algorithm| !is_always(*algorithm)) {
            let lacks = self.connection.prepare_cached(
                "SELECT 1 FROM parts WHERE upload = ?1 AND (checksum IS NULL
                     OR substr(checksum, 1, 1) <> ?2) LIMIT 1",
            );
            let mut lacks = lacks?;
            let code = [algorithm.code()];
            let mut fitting = Vec::new();
            for id in found {
                if !lacks.exists(params![id, code])? {
                    fitting.push(id);
                }
            }
            found = fitting;
        }
        if found.is_empty() {
            found.push(UploadId::from_bytes([0xff; 16]));
        }
        Ok(found)
    }

    /// Finds objects that have `content`. The candidates are for `blob`, a part of it, or for the
    /// content itself.
    fn objects_of(
        &self,
        content: ContentId,
        part: Option<(BlobId, PartNumber)>,
        digests: Option<Digests>,
        found: &mut Vec<Candidate>,
    ) -> Result<()> {
        let part_of = |number| match content {
            ContentId::Manifest(id) => Some((id, number)),
            ContentId::Blob(_) => None,
        };
        let mut push = |bucket: &Arc<Bucket>, key: ObjectKey| {
            found.push(Candidate {
                sha256: self.wanted.sha256,
                size: self.wanted.size,
                content: part.map_or(content, |(blob, _)| ContentId::Blob(blob)),
                digests: digests.clone(),
                via: Via::Object {
                    bucket: Arc::clone(bucket),
                    key,
                    part: part.and_then(|(_, number)| part_of(number)),
                },
            });
        };
        let own = self.bucket;
        let everything = [String::new()];
        for prefix in self.wanted.prefixes.as_deref().unwrap_or(&everything) {
            for key in self.keys(content, own.id, prefix)? {
                push(own, key);
            }
        }
        if self.wanted.prefixes.is_some() {
            return Ok(());
        }
        let (mut from, mut pushed) = (i64::MIN, 0);
        for _ in 0..SCANNED_MAX {
            // Seeks from one bucket of the user to the next: buckets of others cost nothing.
            let in_sight = self.db.directory().next_id_in_sight(self.user, from);
            let Some(from_here) = in_sight else { break };
            let Some((bucket, key)) = self.next_bucket(content, from_here)? else { break };
            from = bucket + 1;
            if bucket != own.id
                && let Some(bucket) = self.bucket_of(bucket)?
                && may_anything(self.user, &bucket)
            {
                push(&bucket, key);
                pushed += 1;
            }
            if pushed == FOUND_BUCKETS_MAX {
                break;
            }
        }
        Ok(())
    }

    /// Keys of one bucket that have `content` and begin with `prefix`.
    fn keys(&self, content: ContentId, bucket: i64, prefix: &str) -> Result<Vec<ObjectKey>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key FROM objects
             WHERE content = ?1 AND content_kind = ?2 AND size >= 65536 AND bucket = ?3
                 AND key >= ?4 AND key < ?5
             ORDER BY key LIMIT ?6",
        )?;
        let first = prefix.as_bytes();
        // UTF-8 has no byte 0xff, so the last byte of a prefix can be raised.
        let mut end = first.to_vec();
        match end.last_mut() {
            Some(last) => *last += 1,
            None => end.push(0xff),
        }
        let (id, kind) = (content.bytes(), content.kind());
        let mut rows = statement.query(params![id, kind, bucket, first, end, FOUND_KEYS_MAX])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(read_key(row, "key")?);
        }
        Ok(keys)
    }

    /// The first bucket, from the id `from` on, with an object that has `content`.
    fn next_bucket(&self, content: ContentId, from: i64) -> Result<Option<(i64, ObjectKey)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT bucket, key FROM objects
             WHERE content = ?1 AND content_kind = ?2 AND size >= 65536 AND bucket >= ?3
             ORDER BY bucket, key LIMIT 1",
        )?;
        let mut rows = statement.query(params![content.bytes(), content.kind(), from])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some((row.get("bucket")?, read_key(row, "key")?)))
    }

    /// The bucket of this id, unless it was deleted.
    fn bucket_of(&self, id: i64) -> Result<Option<Arc<Bucket>>> {
        let mut statement =
            self.connection.prepare_cached("SELECT name FROM buckets WHERE id = ?1")?;
        let name: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        let name = name.and_then(|name| BucketName::parse(&name));
        let bucket = name.and_then(|name| self.db.directory().bucket(&name));
        Ok(bucket.filter(|bucket| bucket.id == id))
    }

    /// Finds uploads and objects that have the blob as a part: open uploads of the same user, and
    /// objects of manifests that list it.
    fn parts_of(
        &self,
        blob: BlobId,
        digests: Option<Digests>,
        found: &mut Vec<Candidate>,
    ) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT upload, number FROM parts WHERE blob = ?1 AND size >= 65536
             ORDER BY upload DESC LIMIT ?2",
        )?;
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let parts: Vec<(UploadId, PartNumber)> = statement
            .query_map(params![blob, FOUND_PARTS_MAX], read)?
            .collect::<rusqlite::Result<_>>()?;
        for (upload, number) in parts {
            if self.is_own(upload)? {
                let user = Arc::clone(self.user);
                let via = Via::Part { upload, number, user };
                let content = ContentId::Blob(blob);
                let Wanted { sha256, size, .. } = *self.wanted;
                let digests = digests.clone();
                found.push(Candidate { sha256, size, content, digests, via });
            } else if lists(self.connection, upload, number)? {
                let manifest = ContentId::Manifest(upload);
                self.objects_of(manifest, Some((blob, number)), digests.clone(), found)?;
            }
        }
        Ok(())
    }

    /// True if it is an open upload of the same user, inside of the prefixes.
    fn is_own(&self, upload: UploadId) -> Result<bool> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT bucket, key FROM uploads WHERE id = ?1 AND initiator = ?2")?;
        let mut rows = statement.query(params![upload, self.user.id])?;
        let Some(row) = rows.next()? else { return Ok(false) };
        let Some(prefixes) = &self.wanted.prefixes else { return Ok(true) };
        let key = read_key(row, "key")?;
        Ok(row.get::<_, i64>("bucket")? == self.bucket.id
            && prefixes.iter().any(|prefix| key.as_bytes().starts_with(prefix.as_bytes())))
    }
}

/// True if every part has a checksum in this algorithm.
fn is_always(algorithm: ChecksumAlgorithm) -> bool {
    matches!(algorithm, ChecksumAlgorithm::Crc64nvme | ChecksumAlgorithm::Md5)
}

/// True if a live manifest lists this part: a part that is not listed is in no object.
fn lists(connection: &Connection, manifest: UploadId, number: PartNumber) -> Result<bool> {
    let packed: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT numbers FROM manifest_runs JOIN manifests ON manifests.id = manifest
             WHERE manifest = ?1 AND first_number <= ?2 AND dead = 0
             ORDER BY first_offset DESC, first_number DESC LIMIT 1",
        )?
        .query_row(params![manifest, number], |row| row.get(0))
        .optional()?;
    let numbers = packed.and_then(|packed| unpack_numbers(&packed));
    Ok(numbers.is_some_and(|numbers| numbers.contains(&number)))
}

/// Takes a reference to a content that is alive and still readable by the object or part that it
/// was found by.
pub(crate) fn take(txn: &Txn<'_>, readable: &Readable) -> Result<bool> {
    let Readable { candidate: Candidate { content, via, .. }, decided_on } = readable;
    let holds = match via {
        Via::Object { bucket, key, part } => {
            let holder = part.map_or(*content, |(manifest, _)| ContentId::Manifest(manifest));
            let sql = "SELECT 1 FROM objects
                 WHERE bucket = ?1 AND key = ?2 AND content_kind = ?3 AND content = ?4
                     AND seq = ifnull(?5, seq)";
            txn.prepare(sql)?.exists(params![
                bucket.id,
                key.as_bytes(),
                holder.kind(),
                holder.bytes(),
                decided_on
            ])? && match part {
                Some((manifest, number)) => has_part(txn, *manifest, *number, *content)?,
                None => true,
            }
        }
        Via::Part { upload, number, user } => {
            let sql = "SELECT 1 FROM uploads WHERE id = ?1 AND initiator = ?2";
            txn.prepare(sql)?.exists(params![upload, user.id])?
                && has_part(txn, *upload, *number, *content)?
        }
    };
    Ok(holds && reference(txn, *content)?)
}

fn has_part(
    txn: &Txn<'_>,
    upload: UploadId,
    number: PartNumber,
    content: ContentId,
) -> Result<bool> {
    let sql = "SELECT 1 FROM parts WHERE upload = ?1 AND number = ?2 AND blob = ?3";
    Ok(txn.prepare(sql)?.exists(params![upload, number, content.bytes()])?)
}

/// Takes a reference to the first of several contents that can be taken; returns it.
pub(crate) fn take_first<'r>(
    txn: &Txn<'_>,
    readables: &'r [Readable],
) -> Result<Option<&'r Readable>> {
    for readable in readables {
        if take(txn, readable)? {
            return Ok(Some(readable));
        }
    }
    Ok(None)
}

/// Inserts the row of a staged blob, or takes a reference to a live blob of the same bytes if
/// contents are stored `once`. In the latter case the staged file is discarded.
pub(crate) fn insert_or_share(txn: &Txn<'_>, staged: &StagedBlob, once: bool) -> Result<BlobId> {
    if once
        && let Some(id) = find_same(txn, staged)?
        && reference(txn, ContentId::Blob(id))?
    {
        txn.spare_staged();
        return Ok(id);
    }
    insert_blob(txn, staged)?;
    Ok(staged.id())
}

/// A live blob in a file with the same digests, of all kinds that are always known.
fn find_same(txn: &Txn<'_>, staged: &StagedBlob) -> Result<Option<BlobId>> {
    let digests = staged.digests();
    let Some(sha256) = digests.sha256 else { return Ok(None) };
    if digests.length < SHARED_BYTES_MIN || matches!(staged.home(), Home::Inline(_)) {
        return Ok(None);
    }
    let sql = "SELECT id FROM blobs
         WHERE sha256 = ?1 AND size = ?2 AND dead = 0 AND sha256 IS NOT NULL
             AND inline_row IS NULL AND size >= 65536 AND md5 = ?3 AND crc64nvme = ?4
         ORDER BY id LIMIT 1";
    let crc64nvme = digests.crc64nvme.cast_signed();
    let found = txn
        .prepare(sql)?
        .query_row(params![sha256, digests.length, digests.md5, crc64nvme], |row| row.get(0));
    Ok(found.optional()?)
}
