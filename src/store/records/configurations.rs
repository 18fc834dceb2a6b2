//! Configurations of buckets: documents by kind.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

/// Kind of configuration of a bucket. The number is stored in the database.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(i64)]
pub enum BucketConfigurationKind {
    /// The rules for pages of other origins.
    Cors = 1,
    /// Event notifications.
    Notification = 2,
}

impl BucketConfigurationKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Cors, Self::Notification];

    pub(crate) fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i64 == code)
    }
}

/// Document of a bucket's configuration: its bytes, and their parsed form.
pub struct BucketConfiguration {
    bytes: Vec<u8>,
    meaning: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl BucketConfiguration {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, meaning: OnceLock::new() }
    }

    /// The bytes that were put.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Parsed form of the bytes, computed once. A later document is another value, so it is never
    /// stale. `None` if the document was parsed as another type before.
    pub fn meaning<T: Any + Send + Sync>(&self, read: impl FnOnce(&[u8]) -> T) -> Option<&T> {
        self.meaning.get_or_init(|| Box::new(read(&self.bytes))).downcast_ref()
    }
}

impl fmt::Debug for BucketConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A document may contain secrets.
        write!(f, "BucketConfiguration({} bytes)", self.bytes.len())
    }
}
