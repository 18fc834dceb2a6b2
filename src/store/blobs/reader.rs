//! Reading a blob: no byte leaves before its block's CRC has been checked.

use bytes::Bytes;

use super::BlobRecord;
use crate::store::error::{Error, Result};
use crate::types::ByteRange;

/// A blob open for reading. `Send`; the file may be unlinked meanwhile.
pub struct BlobFile {
    record: BlobRecord,
}

impl BlobFile {
    /// What the trailer says.
    pub fn record(&self) -> &BlobRecord {
        &self.record
    }
    /// Bytes of plain data.
    pub fn length(&self) -> u64 {
        self.record.digests.length
    }
    /// Reads exactly `range`, every block of it verified, in one go: at most
    /// [`READ_BYTES_MAX`](super::READ_BYTES_MAX) bytes, inside the blob (asserted). A block that
    /// does not verify or is not there is [`Error::Damaged`].
    pub fn read(&mut self, range: ByteRange) -> Result<Bytes> {
        let _ = range;
        Err(Error::Closed)
    }
}
