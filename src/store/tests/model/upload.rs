//! What the model knows of an open upload, and the files that uploads declare.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::super::{Declaration, WholeDigests, body, part_number};
use crate::types::Layout;

/// An open upload.
#[derive(Default)]
pub(super) struct ModelUpload {
    pub(super) name: String,
    pub(super) parts: BTreeMap<u16, Vec<u8>>,
    pub(super) declared: Option<File>,
    pub(super) creators: usize,
    pub(super) is_paused: bool,
}

/// A file that an upload declares: parts of [`PART_BYTES`], of which the seed tells the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) seed: u64,
    pub(super) layout: Layout,
    /// With its SHA-256, so that it is found again.
    pub(super) is_named: bool,
}

/// Bytes of every part but the last.
pub(super) const PART_BYTES: u64 = 1_500;

impl File {
    pub(super) fn part(self, number: u16) -> Vec<u8> {
        let bytes = self.layout.bytes_of(part_number(number)).unwrap_or(7);
        body(self.seed << 8 | u64::from(number), bytes as usize)
    }

    pub(super) fn declaration(self) -> Declaration {
        let whole: Vec<u8> = (1..=self.layout.count()).flat_map(|n| self.part(n)).collect();
        let sha256 = self.is_named.then(|| Sha256::digest(&whole).into());
        Declaration { layout: Some(self.layout), digests: WholeDigests { md5: None, sha256 } }
    }
}

impl ModelUpload {
    /// The numbers that are missing, the naive way.
    pub(super) fn missing(&self) -> Vec<u16> {
        let end = match self.declared {
            Some(file) => file.layout.count(),
            None => self.parts.keys().next_back().copied().unwrap_or(0),
        };
        (1..=end).filter(|number| !self.parts.contains_key(number)).collect()
    }
}
