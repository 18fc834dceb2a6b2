//! The content of an object, open for reading.

use std::sync::Arc;

use bytes::Bytes;

use super::engine::Engine;
use super::error::{Error, Result};
use super::records::{ObjectRecord, PartSpan};
use crate::access::Permit;
use crate::digest::Checksum;
use crate::types::{BlobId, ByteRange, ObjectKey, PartNumber};

/// An object whose content cannot vanish while this, or a reader made from it, lives.
#[derive(Clone)]
pub struct OpenObject {
    /// The object as it was when it was opened.
    pub record: ObjectRecord,
}

/// One stored blob, whole: what a copied part can refer to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BlobRef {
    /// Its id.
    pub id: BlobId,
    /// Bytes.
    pub size: u64,
    /// MD5 of its bytes.
    pub md5: [u8; 16],
    /// CRC64NVME of its bytes.
    pub crc64nvme: u64,
    /// SHA-256 of its bytes, if it was computed.
    pub sha256: Option<[u8; 32]>,
    /// The checksum that came with it, in the client's algorithm.
    pub checksum: Option<Checksum>,
}

/// Reads verified bytes, a unit at a time. Keeps the content pinned. Blocking.
pub struct ContentReader {
    engine: Arc<Engine>,
}

impl OpenObject {
    /// The whole bytes, checked, when the content lives in SQLite.
    pub fn inline(&self) -> Option<Bytes> {
        None
    }

    /// Reads the content, or the bytes of `range`, which must lie inside it (asserted).
    pub fn reader(&self, _range: Option<ByteRange>) -> Result<ContentReader> {
        Err(Error::Closed)
    }

    /// Where a listed part of a multipart object is; `None` when it has no part of that number, or
    /// is no multipart object.
    pub fn part(&self, _number: PartNumber) -> Result<Option<PartSpan>> {
        Err(Error::Closed)
    }

    /// The blob whose whole bytes are exactly `range` (`None`: the whole object), if there is one.
    pub fn whole_blob(&self, _range: Option<ByteRange>) -> Result<Option<BlobRef>> {
        Err(Error::Closed)
    }
}

impl ContentReader {
    /// The next bytes, verified, at most `read_unit_bytes`; `None` at the end.
    /// [`Error::Damaged`] when what is stored does not verify.
    pub fn next(&mut self) -> Result<Option<Bytes>> {
        let _ = &self.engine;
        Err(Error::Closed)
    }
}

pub(super) fn open(
    _engine: &Arc<Engine>,
    _permit: &Permit,
    _key: &ObjectKey,
) -> Result<OpenObject> {
    Err(Error::Closed)
}
