//! Sources of time, ids and random bytes of a store.
//!
//! They are an option of the store (`Options::sources`), so that a test can replay a run from a
//! seed. The default is the system's sources.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use parking_lot::Mutex;

use super::error::{Error, Result};
use crate::clock;
use crate::types::{BlobId, MessageId, Timestamp, UploadId};

/// The sources. Cheap to clone; every clone draws from the same ones.
#[derive(Clone, Default)]
pub struct Sources(Option<Arc<Mutex<Seeded>>>);

/// Sources that are computed from a seed.
struct Seeded {
    /// State of the generator (SplitMix64).
    state: u64,
    /// The time now. Only the test changes it.
    now: Timestamp,
    /// Number of ids given so far, so that ids ascend.
    count: u64,
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "Sources(seeded)" } else { "Sources(system)" })
    }
}

impl Sources {
    /// Sources that give the same sequence for the same seed; the clock stands at `now`.
    pub fn seeded(seed: u64, now: Timestamp) -> Self {
        Self(Some(Arc::new(Mutex::new(Seeded { state: seed, now, count: 0 }))))
    }

    /// Sets the clock of seeded sources. The system's clock is not touched.
    pub fn set_time(&self, now: Timestamp) {
        if let Some(seeded) = &self.0 {
            seeded.lock().now = now;
        }
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        self.0.as_ref().map_or_else(clock::now, |seeded| seeded.lock().now)
    }

    /// An id for a new blob, ordered by time.
    pub(crate) fn blob_id(&self) -> BlobId {
        self.0.as_ref().map_or_else(BlobId::new, |seeded| BlobId::from_bytes(seeded.lock().id()))
    }

    /// An id for a new upload, ordered by time.
    pub(crate) fn upload_id(&self) -> UploadId {
        let seeded = |seeded: &Arc<Mutex<Seeded>>| UploadId::from_bytes(seeded.lock().id());
        self.0.as_ref().map_or_else(UploadId::new, seeded)
    }

    /// An id for a new message, ordered by time.
    pub(crate) fn message_id(&self) -> MessageId {
        let seeded = |seeded: &Arc<Mutex<Seeded>>| MessageId::from_bytes(seeded.lock().id());
        self.0.as_ref().map_or_else(MessageId::new, seeded)
    }

    /// Random bytes for ids and secrets of accounts, and for questions.
    ///
    /// # Errors
    /// [`Error::Io`] when the system's generator cannot be read.
    pub(crate) fn random<const N: usize>(&self) -> Result<[u8; N]> {
        const SOURCE: &str = "/dev/urandom";
        let mut bytes = [0; N];
        if let Some(seeded) = &self.0 {
            let mut seeded = seeded.lock();
            bytes.fill_with(|| seeded.next() as u8);
            return Ok(bytes);
        }
        let read = File::open(SOURCE).and_then(|mut source| source.read_exact(&mut bytes));
        read.map_err(|source| Error::io("read", SOURCE, source))?;
        Ok(bytes)
    }
}

impl Seeded {
    /// The next number of SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// 16 bytes in the shape of a UUIDv7: 48 bits of milliseconds, version, a counter of 12 bits
    /// and more of it where UUIDv7 is random, so that ids ascend.
    fn id(&mut self) -> [u8; 16] {
        self.count += 1;
        let random = self.next();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&self.now.millis().to_be_bytes()[2..]);
        bytes[6..14].copy_from_slice(&self.count.to_be_bytes());
        bytes[6] = 0x70 | (bytes[6] & 0x0f);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        bytes[14..].copy_from_slice(&random.to_be_bytes()[..2]);
        bytes
    }
}
