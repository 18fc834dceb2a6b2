//! Size of the chunks in which bodies pass through memory: large chunks cost fewer steps, small
//! ones let many bodies through in bounded memory. (A stored blob of up to 256 KiB is read whole
//! all the same.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest chunk in bytes. A step to the blocking pool and back is a twentieth of what hashing
/// it costs.
const CHUNK_BYTES_MAX: usize = 256 << 10;
/// The smallest chunk in bytes: a block of a blob.
const BYTES_MIN: usize = 64 << 10;
/// Bytes that all bodies together may hold in chunks of more than the smallest size.
const BYTES_ALL: usize = 32 << 20;
/// Chunks of one body: one on its way, one filling.
const CHUNKS: usize = 2;

/// Bodies of one gateway that pass through memory now, in both directions.
#[derive(Clone, Default)]
pub struct Transfers(Arc<AtomicUsize>);

/// One body that passes through memory, until it is dropped.
pub struct TransferGuard(Transfers);

impl Transfers {
    /// Counts one body more.
    pub fn begin(&self) -> TransferGuard {
        self.0.fetch_add(1, Ordering::Relaxed);
        TransferGuard(self.clone())
    }
}

impl TransferGuard {
    /// Bytes of the body's next chunk: whole blocks, fewer the more bodies there are.
    pub fn chunk_bytes(&self) -> usize {
        chunk_bytes(self.0.0.load(Ordering::Relaxed))
    }
}

impl Drop for TransferGuard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn chunk_bytes(bodies: usize) -> usize {
    let share = BYTES_ALL / (CHUNKS * bodies.max(1));
    (share - share % BYTES_MIN).clamp(BYTES_MIN, CHUNK_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_bodies_move_in_small_chunks() {
        for (bodies, bytes) in [(0, 256), (1, 256), (64, 256), (65, 192), (128, 128), (5_000, 64)] {
            assert_eq!(chunk_bytes(bodies), bytes << 10, "{bodies}");
        }
    }
}
