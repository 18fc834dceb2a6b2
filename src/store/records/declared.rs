//! Declaration of the file of an upload, beyond S3.

use crate::types::Layout;

/// Digests of a whole file, whatever parts it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WholeDigests {
    /// MD5 of all bytes; never the ETag of an upload.
    pub md5: Option<[u8; 16]>,
    /// SHA-256 of all bytes.
    pub sha256: Option<[u8; 32]>,
}

impl WholeDigests {
    /// True if there is nothing to compare.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Union of both; `None` when they contradict each other.
    pub fn and(self, other: Self) -> Option<Self> {
        fn both<T: PartialEq + Copy>(one: Option<T>, other: Option<T>) -> Option<Option<T>> {
            let agree = one.is_none() || other.is_none() || one == other;
            agree.then_some(one.or(other))
        }
        Some(Self { md5: both(self.md5, other.md5)?, sha256: both(self.sha256, other.sha256)? })
    }
}

/// Declaration of a file at Create. Every field binds the parts and Complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Declaration {
    /// Its size, and the size of its parts.
    pub layout: Option<Layout>,
    /// Its digests.
    pub digests: WholeDigests,
}
