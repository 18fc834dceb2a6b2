//! Writer of a blob's file whose disk space is reserved step by step, ahead of its bytes.

use std::fmt;
use std::sync::Arc;

use super::admission::Admission;
use crate::digest::Digests;
use crate::store::blobs::files::Blobs;
use crate::store::blobs::origin::BlobOrigin;
use crate::store::blobs::staged::StagedBlob;
use crate::store::blobs::writer::BlobWriter;
use crate::store::error::Result;

/// A blob being written to a file of its own. `Send`. Dropped without [`finish`](Self::finish), its
/// file is unlinked.
pub struct AdmittedWriter {
    writer: BlobWriter,
    admission: Admission,
}

impl AdmittedWriter {
    /// Begins a new blob, and allocates the first step of its file when the length is known.
    /// [`Error::DiskFull`](crate::store::Error::DiskFull),
    /// [`Error::EntityTooLarge`](crate::store::Error::EntityTooLarge),
    /// [`Error::Poisoned`](crate::store::Error::Poisoned).
    pub(crate) fn begin(
        blobs: &Arc<Blobs>,
        origin: BlobOrigin,
        admission: Admission,
    ) -> Result<Self> {
        let writer = blobs.create(origin, admission.length())?;
        let mut begun = Self { writer, admission };
        begun.allocate()?;
        Ok(begun)
    }

    /// Appends bytes; before those that no step covers, reserves the next one. Blocking. After an
    /// error the writer can only be dropped. [`Error::DiskFull`](crate::store::Error::DiskFull);
    /// [`Error::EntityTooLarge`](crate::store::Error::EntityTooLarge) above 5 GiB.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let end = self.writer.length() + bytes.len() as u64;
        if end > self.admission.covered() {
            self.admission.extend(end)?;
            self.allocate()?;
        }
        self.writer.write(bytes)
    }

    /// Appends the trailer and makes file and folder entry durable.
    pub fn finish(self, digests: Digests) -> Result<StagedBlob> {
        self.writer.finish(digests)
    }

    fn allocate(&mut self) -> Result<()> {
        if self.writer.allocate(self.admission.covered())? {
            self.admission.allocated();
        }
        Ok(())
    }
}

impl fmt::Debug for AdmittedWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.writer, f)
    }
}
