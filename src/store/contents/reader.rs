//! Reader of the content of an object.
//!
//! **Invariants**
//! - Bytes in SQLite are read together with the object's row, by one statement. Any other content
//!   is pinned before the row is read a second time (see [`crate::store::memory::pins`]).
//! - No byte is returned before its checksum was compared.
//! - The digests of object, part, blob and trailer agree, or nothing is returned: damaged rows do
//!   not give the bytes of one object under the ETag of another.
//! - A reader holds one run of a manifest (at most 256 parts) and one unit of bytes at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::access::{ObjectFacts, ObjectPath, ReadAttributes, ReadObject, Sealed};
use crate::digest::ChecksumAlgorithm;
use crate::store::blobs::reader::{BlobFile, READ_BYTES_MAX, Wait};
use crate::store::blobs::stored::StoredBlob;
use crate::store::db::sqlite::objects::FoundObject;
use crate::store::db::sqlite::{blob_row, manifests, objects};
use crate::store::engine::Engine;
use crate::store::error::{Error, Result, damaged};
use crate::store::memory::pending::Blocking;
use crate::store::memory::pins::Pin;
use crate::store::memory::source_blob::SourceBlob;
use crate::store::records::contents::ContentId;
use crate::store::records::objects::{ObjectRecord, PartSpan};
use crate::store::rules::manifest::Piece;
use crate::types::{ByteRange, ETag, PartNumber, UploadId};

/// Attempts to open an object that is replaced between the two reads of its row.
const REREADS_MAX: usize = 16;

/// An object whose content is pinned while this, or a reader made from it, lives.
#[derive(Clone)]
pub struct OpenObject {
    /// The object as it was when it was opened.
    pub record: ObjectRecord,
    path: Arc<ObjectPath>,
    content: ContentId,
    source: ContentSource,
    engine: Arc<Engine>,
}

/// Location of the bytes.
#[derive(Clone)]
enum ContentSource {
    /// Read and checked already.
    Inline(StoredBlob, Bytes),
    File(StoredBlob, Arc<Pin>),
    Manifest(UploadId, Arc<Pin>),
}

/// Reads verified bytes, a unit at a time. Keeps the content pinned. Blocking.
pub struct ContentReader {
    engine: Arc<Engine>,
    /// The object, for the report of damage.
    path: Arc<ObjectPath>,
    source: ContentSource,
    /// The offset of the next byte, and the offset behind the last one.
    next: u64,
    end: u64,
    /// Parts of the current run that are not read yet.
    pieces: VecDeque<Piece>,
    /// Most bytes that are read at once.
    unit: u64,
    /// Content that `next` lies in, in memory or as an open file, and the offset of its first byte.
    open: Option<(u64, Opened)>,
}

enum Opened {
    Inline(Bytes),
    File(Box<BlobFile>),
}

/// Opens the current object of a key, sealed with the facts of its row.
pub(crate) fn open(
    engine: &Arc<Engine>,
    object: &ObjectPath,
) -> Result<Sealed<OpenObject, ReadObject>> {
    open_unsealed(engine, object).map(|(object, facts)| Sealed::new(object, facts))
}

/// Opens record and parts of the current object of a key, sealed with the facts of its row.
pub(crate) fn open_parts(
    engine: &Arc<Engine>,
    object: &ObjectPath,
) -> Result<Sealed<ObjectParts, ReadAttributes>> {
    open_unsealed(engine, object).map(|(object, facts)| Sealed::new(ObjectParts(object), facts))
}

/// Opens the current object of a key for a reader that outputs only a digest. Damage is noted.
pub(crate) fn open_unsealed(
    engine: &Arc<Engine>,
    object: &ObjectPath,
) -> Result<(OpenObject, ObjectFacts)> {
    open_current(engine, object).inspect_err(|error| engine.damage.note(object, error))
}

fn open_current(engine: &Arc<Engine>, object: &ObjectPath) -> Result<(OpenObject, ObjectFacts)> {
    let path = Arc::new(object.clone());
    engine.db.require_bucket(&object.bucket)?;
    for _ in 0..REREADS_MAX {
        let FoundObject { record, content, seq, blob } =
            objects::read_with_blob(&engine.db, object)?;
        if let Some((blob, _)) = &blob {
            if blob.digests.length != record.size {
                return Err(damaged(format!("{content:?} is not as long as its object")));
            }
            if record.etag != ETag::plain(blob.digests.md5) {
                return Err(damaged(format!("{content:?} has another MD5 than its object")));
            }
        }
        let facts = ObjectFacts { path: object.clone(), seq, owner_id: record.owner.id.clone() };
        if let Some((blob, Some(bytes))) = blob {
            let source = ContentSource::Inline(blob, bytes);
            let engine = Arc::clone(engine);
            return Ok((OpenObject { record, path, content, source, engine }, facts));
        }
        let pin = Arc::new(engine.pins.pin(content));
        if objects::read_content_id(&engine.db, object)? != Some(content) {
            // Replaced or deleted before the pin was set: it may be freed already.
            continue;
        }
        let source = match (content, blob) {
            (ContentId::Blob(_), Some((blob, _))) => ContentSource::File(blob, pin),
            (ContentId::Manifest(id), _) => ContentSource::Manifest(id, pin),
            (ContentId::Blob(_), None) => unreachable!("a blob's row was read above"),
        };
        let engine = Arc::clone(engine);
        return Ok((OpenObject { record, path, content, source, engine }, facts));
    }
    Err(Error::Overloaded)
}

/// Record and parts of an object whose bytes may not be read.
pub struct ObjectParts(OpenObject);

impl ObjectParts {
    /// The object as it was when it was opened.
    pub fn record(&self) -> &ObjectRecord {
        &self.0.record
    }

    /// As [`OpenObject::parts`].
    pub fn parts(&self, after: u16, max: usize) -> Blocking<(Vec<(PartNumber, PartSpan)>, bool)> {
        self.0.parts(after, max)
    }
}

impl OpenObject {
    pub(crate) fn content(&self) -> ContentId {
        self.content
    }

    /// The bytes, checked, of a content in SQLite: all of them, or those of `range`, which must lie
    /// inside it (asserted).
    pub fn inline(&self, range: Option<ByteRange>) -> Option<Bytes> {
        match &self.source {
            ContentSource::Inline(_, bytes) => Some(match range {
                None => bytes.clone(),
                Some(range) => bytes.slice(range.first as usize..=range.last as usize),
            }),
            ContentSource::File(..) | ContentSource::Manifest(..) => None,
        }
    }

    /// Reads the content, or the bytes of `range`, which must lie inside it (asserted).
    pub fn reader(&self, range: Option<ByteRange>) -> Result<ContentReader> {
        let size = self.record.size;
        let (next, end) = range.map_or((0, size), |range| (range.first, range.last + 1));
        assert!(next <= end && end <= size, "a range lies inside its content");
        Ok(ContentReader {
            engine: Arc::clone(&self.engine),
            path: Arc::clone(&self.path),
            source: self.source.clone(),
            next,
            end,
            pieces: VecDeque::new(),
            unit: (self.engine.options.read_unit_bytes as u64).clamp(1, READ_BYTES_MAX),
            open: None,
        })
    }

    /// Span of a listed part of a multipart object; `None` when it has no part of that number, or
    /// is not multipart.
    pub fn part(&self, number: PartNumber) -> Blocking<Option<PartSpan>> {
        let ContentSource::Manifest(id, _) = self.source else { return Blocking::new(|| Ok(None)) };
        let object = self.clone();
        Blocking::new(move || manifests::part(&object.engine.db, id, number, object.algorithm()))
    }

    /// Listed parts after number `after` (0: from the first), at most `max`, and true if more
    /// follow. Empty for an object that is not multipart.
    pub fn parts(&self, after: u16, max: usize) -> Blocking<(Vec<(PartNumber, PartSpan)>, bool)> {
        let ContentSource::Manifest(id, _) = self.source else {
            return Blocking::new(|| Ok((Vec::new(), false)));
        };
        let object = self.clone();
        Blocking::new(move || {
            manifests::parts(&object.engine.db, id, after, max, object.algorithm())
        })
    }

    /// The algorithm of the object's checksum.
    fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        self.record.checksum.as_ref().map(|object| object.checksum.algorithm)
    }

    /// The pin that keeps the content, if its bytes are on disk.
    pub(crate) fn pinned(&self) -> Option<Arc<Pin>> {
        match &self.source {
            ContentSource::Inline(..) => None,
            ContentSource::File(_, pin) | ContentSource::Manifest(_, pin) => Some(Arc::clone(pin)),
        }
    }

    /// The blob whose whole bytes are exactly `range` (`None`: the whole object), if there is one.
    pub fn whole_blob(&self, range: Option<ByteRange>) -> Blocking<Option<SourceBlob>> {
        let object = self.clone();
        Blocking::new(move || {
            let size = object.record.size;
            let (first, end) = range.map_or((0, size), |range| (range.first, range.last + 1));
            let blob = match &object.source {
                ContentSource::Inline(blob, _) | ContentSource::File(blob, _) => {
                    ((first, end) == (0, size)).then(|| blob.clone())
                }
                ContentSource::Manifest(id, _) => {
                    manifests::whole_blob(&object.engine.db, *id, (first, end))?
                }
            };
            let pin = object.pinned();
            Ok(blob.map(|blob| SourceBlob { id: blob.id, digests: blob.digests, pin }))
        })
    }
}

impl ContentReader {
    /// The next bytes, verified, at most a unit; `None` at the end. Blocking. [`Error::Damaged`]
    /// when they do not verify; that is noted for the health.
    #[allow(clippy::should_implement_trait)] // An iterator would go on after an error.
    pub fn next(&mut self) -> Result<Option<Bytes>> {
        self.step(Wait::Disk).inspect_err(|error| self.engine.damage.note(&self.path, error))
    }

    /// The next bytes without waiting for a file. `None` when it would have to wait, and on any
    /// error; then [`Self::next`] continues from the same position.
    pub fn next_in_memory(&mut self) -> Option<Option<Bytes>> {
        self.step(Wait::Never).ok()
    }

    /// True once all bytes were read.
    pub fn has_ended(&self) -> bool {
        self.next == self.end
    }

    /// Limits units to `bytes` from here on, if that is less than `read_unit_bytes`.
    pub fn limit_unit(&mut self, bytes: usize) {
        let most = self.engine.options.read_unit_bytes.min(bytes) as u64;
        self.unit = most.clamp(1, READ_BYTES_MAX);
    }

    fn step(&mut self, wait: Wait) -> Result<Option<Bytes>> {
        if self.next == self.end {
            return Ok(None);
        }
        loop {
            let Some((first, open)) = &mut self.open else {
                self.open_next(wait)?;
                continue;
            };
            let length = match open {
                Opened::Inline(bytes) => bytes.len() as u64,
                Opened::File(file) => file.length(),
            };
            let from = self.next - *first;
            if from >= length {
                self.open = None;
                continue;
            }
            // Units begin at multiples of their length, so that no block is read twice.
            let until = (from / self.unit + 1) * self.unit;
            let last = until.min(length).min(self.end - *first) - 1;
            let bytes = match open {
                Opened::Inline(bytes) => bytes.slice(from as usize..=last as usize),
                Opened::File(file) => file.read(ByteRange { first: from, last }, wait)?,
            };
            self.next = *first + last + 1;
            return Ok(Some(bytes));
        }
    }

    /// Opens the content that holds the next byte.
    fn open_next(&mut self, wait: Wait) -> Result<()> {
        let opened = match &self.source {
            ContentSource::Inline(_, bytes) => (0, Opened::Inline(bytes.clone())),
            ContentSource::File(blob, _) => {
                (0, Opened::File(Box::new(open_file(&self.engine, blob, wait)?)))
            }
            ContentSource::Manifest(id, _) => {
                // A piece is removed only after it was read: opening it may have to be repeated.
                while self.pieces.pop_front_if(|piece| piece.end() <= self.next).is_some() {}
                if self.pieces.is_empty() {
                    if wait == Wait::Never {
                        // A run needs up to 256 lookups: not on a thread that serves connections.
                        return Err(Error::Overloaded);
                    }
                    let run = manifests::run_at(&self.engine.db, *id, self.next)?;
                    let read = |piece: &Piece| piece.end() <= self.next;
                    self.pieces = run.into_iter().skip_while(read).collect();
                }
                let piece = self.pieces.front().filter(|piece| piece.first <= self.next);
                let piece = piece.ok_or_else(|| damaged(format!("manifest {id} has a gap")))?;
                (piece.first, open_piece(&self.engine, piece, wait)?)
            }
        };
        self.open = Some(opened);
        Ok(())
    }
}

fn open_piece(engine: &Engine, piece: &Piece, wait: Wait) -> Result<Opened> {
    let (blob, inline) = blob_row::load(&engine.db, piece.blob)?;
    if (blob.digests.length, blob.digests.crc64nvme) != (piece.size, piece.crc64nvme) {
        return Err(damaged(format!("blob {} is not that of its part", blob.id)));
    }
    match inline {
        Some(bytes) => Ok(Opened::Inline(bytes)),
        None => Ok(Opened::File(Box::new(open_file(engine, &blob, wait)?))),
    }
}

pub(crate) fn open_file(engine: &Engine, blob: &StoredBlob, wait: Wait) -> Result<BlobFile> {
    let file = engine.blobs.open_blob(blob.location(), blob.digests.length, wait)?;
    let stored = &file.record().digests;
    if (stored.md5, stored.crc64nvme) != (blob.digests.md5, blob.digests.crc64nvme) {
        return Err(damaged(format!("blob {}: its digests are others than its row's", blob.id)));
    }
    Ok(file)
}
