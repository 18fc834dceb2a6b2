//! Maintenance: garbage collection, the sweep of files, the check.

pub(crate) mod check;
pub(crate) mod gc;
mod settled_clock;
pub(crate) mod sweep;

use super::handle::Store;
use super::memory::pending::Blocking;
use super::records::check::Depth;
use crate::types::Timestamp;

/// Maintenance: called by commands and by tests; the background thread does the same work.
impl Store {
    /// Frees garbage, until only pinned contents are left. Returns the number of rows freed: parts,
    /// blobs, manifests, uploads.
    pub fn collect_garbage(&self) -> Blocking<u64> {
        let engine = self.engine.clone();
        Blocking::new(move || gc::collect(&engine))
    }

    /// Moves files of ended server runs that no row names to `quarantine/`; returns their number.
    pub fn sweep_files(&self) -> Blocking<u64> {
        let engine = self.engine.clone();
        Blocking::new(move || sweep::sweep(&engine, true))
    }

    /// Aborts uploads that were idle too long and deletes old tombstones; returns the number of
    /// uploads.
    pub fn expire_uploads(&self, now: Timestamp) -> Blocking<u64> {
        let engine = self.engine.clone();
        Blocking::new(move || gc::expire_uploads(&engine, now))
    }

    /// Checks every invariant over rows and the existence and length of files; one line for each
    /// violation.
    pub fn check(&self) -> Blocking<Vec<String>> {
        let engine = self.engine.clone();
        Blocking::cancellable(move |cancellation| {
            check::check(&engine, Depth::Trailers, cancellation)
        })
    }

    /// [`Store::check`], reading and verifying every block of every file.
    pub fn check_blocks(&self) -> Blocking<Vec<String>> {
        let engine = self.engine.clone();
        Blocking::cancellable(move |cancellation| {
            check::check(&engine, Depth::Blocks, cancellation)
        })
    }
}
