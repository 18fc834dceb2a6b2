//! Pieces of a body on their way into memory or to the disk.
//!
//! **Invariant:** what is held is in proportion to the bytes, however small the pieces are that a
//! client sends. A piece is a slice of what arrived and keeps all of that alive, so a body in
//! chunks of one byte would hold forty times its size.

use bytes::{Bytes, BytesMut};

/// Most pieces that are held as they came; so many small ones are copied into one.
const LOOSE_PIECES_MAX: usize = 512;
/// A piece of this size stays as it came: it is worth more than what it keeps alive.
const PIECE_BYTES_WHOLE: usize = 4 << 10;

/// Pieces in their order.
#[derive(Debug, Default)]
pub struct Gathered {
    pieces: Vec<Bytes>,
    /// How many of the pieces need no copying any more.
    settled: usize,
    bytes: usize,
}

impl Gathered {
    /// How many bytes are held.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds what `next` appends.
    pub fn grow<T, E>(
        &mut self,
        next: impl FnOnce(&mut Vec<Bytes>) -> Result<T, E>,
    ) -> Result<T, E> {
        let before = self.pieces.len();
        let value = next(&mut self.pieces)?;
        self.bytes += self.pieces.iter().skip(before).map(Bytes::len).sum::<usize>();
        if self.pieces.len() - self.settled >= LOOSE_PIECES_MAX {
            self.settle();
        }
        Ok(value)
    }

    /// Gives all pieces away.
    pub fn take(&mut self) -> Vec<Bytes> {
        std::mem::take(self).pieces
    }

    /// Copies each run of small pieces into one.
    fn settle(&mut self) {
        let loose = self.pieces.split_off(self.settled);
        let mut run = BytesMut::new();
        for piece in loose {
            if piece.len() < PIECE_BYTES_WHOLE {
                run.extend_from_slice(&piece);
                continue;
            }
            if !run.is_empty() {
                self.pieces.push(run.split().freeze());
            }
            self.pieces.push(piece);
        }
        if !run.is_empty() {
            self.pieces.push(run.freeze());
        }
        self.settled = self.pieces.len();
        // The room for the loose pieces goes too.
        self.pieces.shrink_to(LOOSE_PIECES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn add(gathered: &mut Gathered, pieces: &[Bytes]) {
        let Ok(()) = gathered.grow(|all| {
            all.extend_from_slice(pieces);
            Ok::<_, Infallible>(())
        });
    }

    #[test]
    fn the_bytes_stay_as_they_came() {
        let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        for size in [1, 7, 100, PIECE_BYTES_WHOLE - 1, PIECE_BYTES_WHOLE, 60_000, 200_000] {
            let mut gathered = Gathered::default();
            for (index, piece) in content.chunks(size).enumerate() {
                // Now and then a piece of another size, and an empty one.
                let (a, b) = piece.split_at(index % piece.len());
                add(&mut gathered, &[Bytes::copy_from_slice(a), Bytes::copy_from_slice(b)]);
            }
            assert_eq!(gathered.bytes(), content.len());
            assert_eq!(gathered.take().concat(), content, "{size}");
            assert_eq!((gathered.bytes(), gathered.take().len()), (0, 0));
        }
    }

    #[test]
    fn small_pieces_hold_little() {
        let mut gathered = Gathered::default();
        let arrived = Bytes::from(vec![b'x'; 1 << 10]);
        for _ in 0..256 {
            let pieces: Vec<Bytes> = (0..arrived.len()).map(|at| arrived.slice(at..=at)).collect();
            add(&mut gathered, &pieces);
        }
        assert_eq!(gathered.bytes(), 256 << 10);
        assert!(gathered.pieces.len() <= 256 + LOOSE_PIECES_MAX, "{}", gathered.pieces.len());
        assert!(gathered.pieces.capacity() <= 4 << 10, "{}", gathered.pieces.capacity());
        // Nothing but the test holds what arrived.
        assert!(arrived.is_unique());
    }
}
