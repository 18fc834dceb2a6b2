//! Open uploads in the model, and the files that uploads declare.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use super::super::{Declaration, WholeDigests, body, part_number};
use super::content::{Content, ModelBlob, sha256};
use crate::store::records::ContentId;
use crate::types::Layout;

/// An open upload.
#[derive(Clone, Default)]
pub(super) struct ModelUpload {
    pub(super) name: String,
    /// Stored parts; none of an upload that was created with content.
    pub(super) parts: BTreeMap<u16, Rc<ModelBlob>>,
    pub(super) declared: Option<File>,
    /// The content that it was created with, until something is sent.
    pub(super) deduplicated: Option<Content>,
    /// Key of a repeated Create: the file, and the content that the upload was created with.
    pub(super) found_by: Option<(File, Option<ContentId>)>,
    pub(super) creators: usize,
    pub(super) is_paused: bool,
}

/// A file that an upload declares; its bytes follow from the seed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct File {
    pub(super) seed: u64,
    pub(super) layout: Layout,
    /// With its SHA-256, so that it is found again.
    pub(super) is_named: bool,
}

/// Bytes of every part but the last: of files that are too small to be found, and of others.
const SMALL_PART_BYTES: u64 = 1_500;
const LARGE_PART_BYTES: u64 = 66_000;
/// Files that uploads declare.
pub(super) const FILES: u64 = 4;

/// Bytes of the files, made once, because that takes long.
static BYTES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let bytes = |seed| body(1 << 40 | seed, File::new(seed, false, false).layout.size() as usize);
    (0..FILES).map(bytes).collect()
});

impl File {
    /// Two files are small, and two large; one of each ends with a short part. The small ones come
    /// with two part sizes: the same bytes in other parts are another upload.
    pub(super) fn new(seed: u64, is_named: bool, in_other_parts: bool) -> Self {
        let part_bytes = if seed < FILES / 2 { SMALL_PART_BYTES } else { LARGE_PART_BYTES };
        let size = 2 * part_bytes + 700 * (seed % 2);
        let part_bytes = if in_other_parts { part_bytes + 100 } else { part_bytes };
        Self { seed, layout: Layout::new(size, part_bytes).expect("a layout"), is_named }
    }

    pub(super) fn bytes(self) -> &'static [u8] {
        &BYTES[self.seed as usize]
    }

    /// The bytes of a part; a few for a number that the file does not have.
    pub(super) fn part(self, number: u16) -> Rc<[u8]> {
        let number = part_number(number);
        match self.layout.bytes_of(number) {
            None => vec![0; 7].into(),
            Some(bytes) => {
                let first = self.layout.first_byte(number) as usize;
                self.bytes()[first..first + bytes as usize].into()
            }
        }
    }

    pub(super) fn declaration(self) -> Declaration {
        let sha256 = self.is_named.then(|| sha256(self.bytes()));
        Declaration { layout: Some(self.layout), digests: WholeDigests { md5: None, sha256 } }
    }
}

impl ModelUpload {
    /// Parts that ListParts shows and Complete may list.
    pub(super) fn shown(&self) -> BTreeMap<u16, Rc<ModelBlob>> {
        self.deduplicated.as_ref().map_or_else(|| self.parts.clone(), Content::parts)
    }

    /// Missing numbers, by a loop over all numbers.
    pub(super) fn missing(&self) -> Vec<u16> {
        if self.deduplicated.is_some() {
            return Vec::new();
        }
        let end = match self.declared {
            Some(file) => file.layout.count(),
            None => self.parts.keys().next_back().copied().unwrap_or(0),
        };
        (1..=end).filter(|number| !self.parts.contains_key(number)).collect()
    }

    /// Next missing number in the answer of a stored part: none without a declaration.
    pub(super) fn next(&self) -> Option<u16> {
        self.declared.and_then(|_| self.missing().first().copied())
    }

    /// True if the file has a part of this number and length.
    pub(super) fn fits(&self, number: u16, bytes: usize) -> bool {
        let number = part_number(number);
        self.declared.is_none_or(|file| file.layout.bytes_of(number) == Some(bytes as u64))
    }

    /// Stores a part: an upload that was created with content becomes an ordinary one.
    pub(super) fn add(&mut self, number: u16, blob: Rc<ModelBlob>) {
        self.deduplicated = None;
        self.parts.insert(number, blob);
    }
}
