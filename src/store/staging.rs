//! Staging of bodies: admission, packing, and files of their own.

use bytes::Bytes;

use super::error::Result;
use super::handle::Store;
use super::memory::pending::{Blocking, Pending};
use crate::digest::Digests;
#[cfg(doc)]
use crate::store::blobs::location::PACKED_BYTES_MAX;
use crate::store::blobs::origin::BlobOrigin;
use crate::store::blobs::staged::StagedBlob;
use crate::store::blobs::writer::BlobWriter;
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::space::admission::Admission;

impl Store {
    /// Reserves disk space for a body of `bytes` (`None`: of unknown length) until the admission is
    /// dropped. The kernel answers from memory how much is free. [`Error::DiskFull`] below the
    /// watermark.
    pub fn admit(&self, bytes: Option<u64>) -> Result<Admission> {
        self.engine.alive()?;
        self.engine.space.admit(bytes)
    }

    /// Stores a small body in a segment: at most [`PACKED_BYTES_MAX`] bytes (asserted).
    /// [`Error::DiskFull`], [`Error::Overloaded`].
    pub fn pack(&self, origin: BlobOrigin, bytes: Bytes, digests: Digests) -> Pending<StagedBlob> {
        match self.engine.alive() {
            Ok(()) => self.engine.packing.pack(origin, bytes, digests),
            Err(error) => Pending::answered(Err(error)),
        }
    }

    /// Stages a small body for SQLite. Asserts that the digests are of that many bytes.
    pub fn stage_inline(&self, bytes: Bytes, digests: Digests) -> StagedBlob {
        StagedBlob::inline(self.engine.options.sources.blob_id(), bytes, digests)
    }

    /// Begins a blob file.
    pub fn begin_blob(&self, origin: BlobOrigin, length: Option<u64>) -> Blocking<BlobWriter> {
        let engine = self.engine.clone();
        Blocking::new(move || {
            engine.alive()?;
            engine.blobs.create(origin, length)
        })
    }
}
