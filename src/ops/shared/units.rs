//! How large the units are in which bodies move: large ones cost fewer steps, small ones let a
//! crowd through in bounded memory. (A stored blob of up to 256 KiB is read whole all the same.)

use std::sync::atomic::{AtomicUsize, Ordering};

/// The largest unit. A step to the blocking pool and back is a twentieth of what hashing it costs.
const BYTES_MAX: usize = 256 << 10;
/// The smallest: a block of a blob.
const BYTES_MIN: usize = 64 << 10;
/// What all bodies together may hold in units of more than the smallest size.
const BYTES_ALL: usize = 32 << 20;
/// Units of one body: one on its way, one filling.
const UNITS: usize = 2;

/// Bodies that move through memory now, in both directions.
static MOVING: AtomicUsize = AtomicUsize::new(0);

/// One body that moves, until it is dropped.
pub struct Moving(());

impl Moving {
    /// One more.
    pub fn begin() -> Self {
        MOVING.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Bytes of its next unit: whole blocks, fewer the more bodies there are.
    pub fn unit_bytes(&self) -> usize {
        unit_bytes(MOVING.load(Ordering::Relaxed))
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        MOVING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn unit_bytes(bodies: usize) -> usize {
    let share = BYTES_ALL / (UNITS * bodies.max(1));
    (share - share % BYTES_MIN).clamp(BYTES_MIN, BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_moves_in_small_units() {
        for (bodies, bytes) in [(0, 256), (1, 256), (64, 256), (65, 192), (128, 128), (5_000, 64)] {
            assert_eq!(unit_bytes(bodies), bytes << 10, "{bodies}");
        }
    }
}
