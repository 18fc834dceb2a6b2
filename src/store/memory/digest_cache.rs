//! Digests of whole files that were read once: blobs never change, so a list of blobs has one
//! digest for ever. The last [`REMEMBERED_MAX`] results are kept in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::store::records::WholeDigests;

/// Results that are remembered.
const REMEMBERED_MAX: usize = 64;

/// Digests of lists of blobs, by the SHA-256 of their ids.
#[derive(Default)]
pub(crate) struct DigestCache(Mutex<VecDeque<([u8; 32], WholeDigests)>>);

impl DigestCache {
    /// What is known of this list.
    pub(crate) fn get(&self, list: &[u8; 32]) -> WholeDigests {
        let results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = results.iter().find(|(key, _)| key == list);
        found.map(|(_, digests)| *digests).unwrap_or_default()
    }

    /// Keeps it, in place of the oldest.
    pub(crate) fn put(&self, list: [u8; 32], digests: WholeDigests) {
        let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        results.retain(|(key, _)| *key != list);
        if results.len() == REMEMBERED_MAX {
            results.pop_front();
        }
        results.push_back((list, digests));
    }
}
