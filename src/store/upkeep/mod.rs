//! Maintenance: garbage collection, the sweep of files, the check.

pub(crate) mod check;
pub(crate) mod gc;
mod settled_clock;
pub(crate) mod sweep;

use super::error::Result;
use super::handle::Store;
use super::records::check::Depth;
use crate::types::Timestamp;

/// Maintenance: called by the background thread, by commands and by tests. All are blocking.
impl Store {
    /// Frees garbage, until only pinned contents are left. Returns the number of rows freed: parts,
    /// blobs, manifests, uploads.
    pub fn collect_garbage(&self) -> Result<u64> {
        gc::collect(&self.engine)
    }

    /// Moves files of ended server runs that no row names to `quarantine/`; returns their number.
    pub fn sweep_files(&self) -> Result<u64> {
        sweep::sweep(&self.engine, true)
    }

    /// Aborts uploads that were idle too long and deletes old tombstones; returns the number of
    /// uploads.
    pub fn expire_uploads(&self, now: Timestamp) -> Result<u64> {
        gc::expire_uploads(&self.engine, now)
    }

    /// Checks every invariant over rows and the existence and length of files; one line for each
    /// violation.
    pub fn check(&self) -> Result<Vec<String>> {
        check::check(&self.engine, Depth::Trailers)
    }

    /// [`Store::check`], reading and verifying every block of every file.
    pub fn check_blocks(&self) -> Result<Vec<String>> {
        check::check(&self.engine, Depth::Blocks)
    }
}
