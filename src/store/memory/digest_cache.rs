//! Cache of digests of whole files: blobs are immutable, so a list of blobs has one digest for
//! ever. The last [`REMEMBERED_MAX`] results are kept.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::store::records::declared::WholeDigests;

/// Results that are remembered.
const REMEMBERED_MAX: usize = 64;

/// Digests of lists of blobs, by the SHA-256 of their ids.
#[derive(Default)]
pub(crate) struct DigestCache(Mutex<VecDeque<([u8; 32], WholeDigests)>>);

impl DigestCache {
    /// Known digests of this list.
    pub(crate) fn get(&self, list: &[u8; 32]) -> WholeDigests {
        let results = self.0.lock();
        let found = results.iter().find(|(key, _)| key == list);
        found.map(|(_, digests)| *digests).unwrap_or_default()
    }

    /// Keeps it, in place of the oldest.
    pub(crate) fn put(&self, list: [u8; 32], digests: WholeDigests) {
        let mut results = self.0.lock();
        results.retain(|(key, _)| *key != list);
        if results.len() == REMEMBERED_MAX {
            results.pop_front();
        }
        results.push_back((list, digests));
    }
}
