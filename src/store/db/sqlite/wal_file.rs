//! File of the WAL that an earlier run left: a torn tail is told from rot in its middle.
//!
//! SQLite takes the frames up to the first one that does not verify, and forgets the others without
//! a word. After a power cut that is right: the frames of the last transaction may be torn, and it
//! was not acknowledged. But each transaction is synced before the next one is written, so a bad
//! frame with a whole frame of a later transaction behind it is rot, and what SQLite would forget
//! was acknowledged.
//!
//! The format is in section 4 of SQLite's "Database File Format": a header of 32 bytes, then
//! frames of 24 bytes and a page. Each frame has the checksum of everything before it in the file,
//! so a frame verifies against the checksum that the frame before it has stored, sound or not.
//!
//! A frame that would verify with one bit flipped is rot too, wherever it is: no torn write looks
//! like that. **Exempt** is what remains: other rot in the last transaction, or in the frame that
//! ends the last but one, which looks like a torn write.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::connection::PAGE_BYTES;
use crate::store::error::{Error, Result, damaged};

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const FRAME_BYTES: usize = FRAME_HEADER_BYTES + PAGE_BYTES as usize;
/// Magic of a file whose checksums read big-endian words; one less for little-endian ones.
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// Refuses a WAL with rot: [`Error::Damaged`] with the place, and what to do. No file, an empty
/// one, and one with a torn tail are sound.
pub(crate) fn refuse_rot(path: &Path) -> Result<()> {
    let failed = |source: io::Error| Error::io("read", path, source);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    let mut file = BufReader::with_capacity(1 << 20, file);
    let mut header = [0; HEADER_BYTES];
    if !read_whole(&mut file, &mut header).map_err(failed)? {
        return Ok(());
    }
    let mut scan = Scan::new(&header);
    let mut frame = vec![0; FRAME_BYTES];
    while scan.rot.is_none() && read_whole(&mut file, &mut frame).map_err(failed)? {
        scan.take(&frame);
    }
    match scan.rot {
        None => Ok(()),
        Some(at) => Err(damaged(format!(
            "{}: the bytes at {at} do not verify, and committed transactions are behind them. \
             Restore the data folder from a backup. (Do not shorten or remove this file: a part of \
             what is behind may be in the database already, and the two would not fit together)",
            path.display()
        ))),
    }
}

/// Fills the buffer; false if the file ends before.
fn read_whole(file: &mut impl Read, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Walk through the frames.
struct Scan {
    is_big_endian: bool,
    /// Salts of the header: frames of an earlier use of the file have others.
    salts: [u8; 8],
    /// The header verifies.
    has_header: bool,
    /// Checksum that the frame before has stored, or the header.
    stored: [u32; 2],
    offset: u64,
    /// Offset of the first frame that does not verify.
    bad: Option<u64>,
    /// A transaction has ended at or behind the bad frame.
    has_ended: bool,
    /// Offset from which on the file is rotten.
    rot: Option<u64>,
}

impl Scan {
    fn new(header: &[u8; HEADER_BYTES]) -> Self {
        let magic = word(header, 0);
        let is_big_endian = magic == MAGIC_BIG_ENDIAN;
        let stored = [word(header, 24), word(header, 28)];
        let is_known = magic | 1 == MAGIC_BIG_ENDIAN && word(header, 8) == PAGE_BYTES as u32;
        let has_header = is_known && checksum(is_big_endian, [0, 0], &header[..24]) == stored;
        let mut salts = [0; 8];
        salts.copy_from_slice(&header[16..24]);
        Self {
            is_big_endian,
            salts,
            has_header,
            stored,
            offset: HEADER_BYTES as u64,
            bad: (!has_header).then_some(0),
            has_ended: !has_header,
            rot: None,
        }
    }

    fn take(&mut self, frame: &[u8]) {
        if !self.has_header && self.offset == HEADER_BYTES as u64 {
            // A header that does not verify: the frames tell what it was.
            self.salts.copy_from_slice(&frame[8..16]);
        }
        let seed = self.stored;
        self.stored = [word(frame, 16), word(frame, 20)];
        let is_sound = self.verifies(seed, frame)
            || !self.has_header && {
                self.is_big_endian = !self.is_big_endian;
                self.verifies(seed, frame)
            };
        match (self.bad, is_sound) {
            (None, true) => {}
            (None, false) if self.is_one_bit_away(seed, frame) => self.rot = Some(self.offset),
            (None, false) => {
                self.bad = Some(self.offset);
                // Its own mark, unless it is a frame of an earlier use of the file.
                self.has_ended = frame[8..16] == self.salts && ends_transaction(frame);
            }
            // The transaction of the bad frame was synced before this frame was written.
            (Some(bad), true) if self.has_ended => self.rot = Some(bad),
            // One behind the bad frame may not verify because that has lost its checksum.
            (Some(_), is_sound) => {
                let is_of_this_use = is_sound || frame[8..16] == self.salts;
                self.has_ended |= is_of_this_use && ends_transaction(frame);
            }
        }
        self.offset += FRAME_BYTES as u64;
    }
}

impl Scan {
    fn verifies(&self, seed: [u32; 2], frame: &[u8]) -> bool {
        let sum = checksum(self.is_big_endian, seed, &frame[..8]);
        let sum = checksum(self.is_big_endian, sum, &frame[FRAME_HEADER_BYTES..]);
        // A file that was made longer and not written has zeros, whose checksum is zero.
        let is_page = word(frame, 0) != 0;
        is_page && frame[8..16] == self.salts && sum == [word(frame, 16), word(frame, 20)]
    }

    /// True if the frame would verify with one of its bits flipped.
    fn is_one_bit_away(&self, seed: [u32; 2], frame: &[u8]) -> bool {
        let stored = [word(frame, 16), word(frame, 20)];
        let sum = checksum(self.is_big_endian, seed, &frame[..8]);
        let sum = checksum(self.is_big_endian, sum, &frame[FRAME_HEADER_BYTES..]);
        let bits_of = |left: &[u8], right: &[u8]| -> u32 {
            left.iter().zip(right).map(|(left, right)| (left ^ right).count_ones()).sum()
        };
        let bits_of_salts = bits_of(&frame[8..16], &self.salts);
        let bits_of_sum = (sum[0] ^ stored[0]).count_ones() + (sum[1] ^ stored[1]).count_ones();
        match (bits_of_salts, bits_of_sum) {
            (1, 0) | (0, 1) => true,
            (0, _) => {
                let summed = [&frame[..8], &frame[FRAME_HEADER_BYTES..]].concat();
                let missing = [0, 1].map(|n| stored[n].wrapping_sub(sum[n]));
                is_bit_missing(self.is_big_endian, &summed, missing)
            }
            _ => false,
        }
    }
}

/// True if flipping one bit of `bytes` adds `missing` to their checksum. The checksum is linear: a
/// word at a given distance from the end counts with a fixed factor in each of its two sums.
fn is_bit_missing(is_big_endian: bool, bytes: &[u8], missing: [u32; 2]) -> bool {
    let (words, _) = bytes.as_chunks::<4>();
    // Factors of the first and of the second word of a pair; of the last pair at first.
    let mut factors = [[1_u32, 1], [0, 1]];
    words.rchunks_exact(2).any(|pair| {
        let is_missing = pair.iter().zip(&factors).any(|(word, factor)| {
            let word = read_word(is_big_endian, *word);
            (0..32).any(|bit| {
                let flipped = word ^ (1 << bit);
                let change = flipped.wrapping_sub(word);
                factor.map(|factor| factor.wrapping_mul(change)) == missing
            })
        });
        factors = factors.map(|[first, second]| {
            let first = first.wrapping_add(second);
            [first, first.wrapping_add(second)]
        });
        is_missing
    })
}

/// True if a frame is the last of a transaction: it has the size of the database after it.
fn ends_transaction(frame: &[u8]) -> bool {
    word(frame, 4) != 0
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

/// SQLite's checksum of `bytes`, a multiple of 8, which goes on from `sum`.
fn checksum(is_big_endian: bool, mut sum: [u32; 2], bytes: &[u8]) -> [u32; 2] {
    let (words, rest) = bytes.as_chunks::<4>();
    debug_assert!(rest.is_empty() && words.len().is_multiple_of(2), "pairs of words");
    for pair in words.chunks_exact(2) {
        let [first, second] = [pair[0], pair[1]].map(|word| read_word(is_big_endian, word));
        sum[0] = sum[0].wrapping_add(first).wrapping_add(sum[1]);
        sum[1] = sum[1].wrapping_add(second).wrapping_add(sum[0]);
    }
    sum
}

fn read_word(is_big_endian: bool, word: [u8; 4]) -> u32 {
    match is_big_endian {
        true => u32::from_be_bytes(word),
        false => u32::from_le_bytes(word),
    }
}
