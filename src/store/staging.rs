//! Staging of bodies: admission, packing, and files of their own.

use bytes::Bytes;

use super::error::Result;
use super::handle::Store;
use super::memory::pending::{Blocking, Pending};
use crate::access::User;
use crate::digest::Digests;
#[cfg(doc)]
use crate::store::blobs::location::PACKED_BYTES_MAX;
use crate::store::blobs::origin::BlobOrigin;
use crate::store::blobs::staged::StagedBlob;
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::space::admission::Admission;
use crate::store::space::writer::AdmittedWriter;

impl Store {
    /// Admits a body of `bytes` (`None`: of unknown length) of a user, and reserves disk space for
    /// its first bytes until the admission is dropped. The kernel answers from memory how much is
    /// free. [`Error::DiskFull`] below the watermark.
    pub fn admit(&self, user: &User, bytes: Option<u64>) -> Result<Admission> {
        self.engine.alive()?;
        self.engine.space.admit(&user.id, bytes)
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

    /// Begins the file of a blob that was admitted. [`Error::DiskFull`], [`Error::EntityTooLarge`].
    pub fn begin_blob(&self, origin: BlobOrigin, admission: Admission) -> Blocking<AdmittedWriter> {
        let engine = self.engine.clone();
        Blocking::new(move || {
            engine.alive()?;
            AdmittedWriter::begin(&engine.blobs, origin, admission)
        })
    }
}
