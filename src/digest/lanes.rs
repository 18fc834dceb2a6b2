//! MD5 of up to eight bodies at once, each in one lane of the processor's SIMD registers.
//!
//! The steps of MD5 depend on each other, so one body leaves most of a processor core idle. Eight
//! bodies in lanes take a fifth of the time of eight bodies in sequence. The instructions are in
//! every processor of the architecture (SSE2, NEON). A single body is hashed by the crate `md-5`.
//!
//! **Invariant:** an MD5 does not depend on the grouping of lanes or on the number of bytes in a
//! step.

use std::array;
use std::ops::{Add, BitAnd, BitOr, BitXor, Not, Shl, Shr};

use bytes::{Buf, Bytes};
use md5::block_api::compress;
use wide::{u32x4, u32x8};

/// Largest number of bodies in one step.
pub const LANES: usize = 8;
/// Bytes of an MD5 block.
const BLOCK_BYTES: usize = 64;
/// Most blocks in one step. Between steps a body can join or leave.
const STEP_BLOCKS: usize = 512;
/// Initial state of MD5 (RFC 1321, section 3.3).
const INITIAL_STATE: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// MD5 of one body in progress, and bytes that are not hashed yet.
pub struct Md5Lane {
    state: [u32; 4],
    /// Bytes hashed.
    length: u64,
    /// The last `length % BLOCK_BYTES` bytes, which do not fill a block yet.
    rest: [u8; BLOCK_BYTES],
    unread: Bytes,
}

impl Default for Md5Lane {
    fn default() -> Self {
        Self { state: INITIAL_STATE, length: 0, rest: [0; BLOCK_BYTES], unread: Bytes::new() }
    }
}

impl Md5Lane {
    /// Supplies the next bytes. [`advance`] hashes them. The lane must be idle.
    pub fn feed(&mut self, bytes: Bytes) {
        assert!(self.is_idle(), "bytes are taken in before more are given");
        self.unread = bytes;
    }

    /// True if all bytes supplied are hashed.
    pub fn is_idle(&self) -> bool {
        self.unread.is_empty()
    }

    /// MD5 of all bytes supplied.
    pub fn finish(mut self) -> [u8; 16] {
        assert!(self.is_idle(), "a body is taken in before its MD5 is asked for");
        let bits = self.length.wrapping_mul(8).to_le_bytes();
        let filled = self.filled();
        self.rest[filled] = 0x80;
        self.rest[filled + 1..].fill(0);
        if filled + 1 + bits.len() > BLOCK_BYTES {
            compress(&mut self.state, &[self.rest]);
            self.rest.fill(0);
        }
        self.rest[BLOCK_BYTES - bits.len()..].copy_from_slice(&bits);
        compress(&mut self.state, &[self.rest]);
        let words = self.state.map(u32::to_le_bytes);
        array::from_fn(|i| words[i / 4][i % 4])
    }

    fn filled(&self) -> usize {
        (self.length % BLOCK_BYTES as u64) as usize
    }

    fn blocks(&self) -> usize {
        self.unread.len() / BLOCK_BYTES
    }

    /// Hashes bytes that cannot be processed in lanes: those up to the next whole block, or all of
    /// them if they do not reach one.
    fn align(&mut self) {
        let filled = self.filled();
        if filled == 0 && self.blocks() > 0 {
            return;
        }
        let taken = self.unread.len().min(BLOCK_BYTES - filled);
        self.unread.copy_to_slice(&mut self.rest[filled..filled + taken]);
        self.length += taken as u64;
        if filled + taken == BLOCK_BYTES {
            compress(&mut self.state, &[self.rest]);
        }
    }

    fn advanced(&mut self, blocks: usize, state: [u32; 4]) {
        self.state = state;
        self.length += (blocks * BLOCK_BYTES) as u64;
        self.unread.advance(blocks * BLOCK_BYTES);
        if self.blocks() == 0 {
            self.align();
        }
    }
}

/// Advances every lane that is not idle by the same number of blocks. Afterwards at least one of
/// them is idle or has advanced by a full step.
pub fn advance(lanes: &mut [Md5Lane]) {
    assert!(lanes.len() <= LANES, "a body for each lane, at most");
    lanes.iter_mut().for_each(Md5Lane::align);
    let blocks = lanes.iter().map(Md5Lane::blocks).filter(|blocks| *blocks > 0).min();
    let blocks = blocks.unwrap_or(0).min(STEP_BLOCKS);
    let mut moving: Vec<_> = lanes.iter_mut().filter(|lane| lane.blocks() > 0).collect();
    match moving.len() {
        0 => {}
        1 => {
            let (whole, _) = moving[0].unread[..blocks * BLOCK_BYTES].as_chunks();
            let mut state = moving[0].state;
            compress(&mut state, whole);
            moving[0].advanced(blocks, state);
        }
        2..=4 => advance_lanes::<u32x4, 4>(&mut moving, blocks),
        _ => advance_lanes::<u32x8, LANES>(&mut moving, blocks),
    }
}

/// SIMD register with one word of each of `N` bodies.
trait Words<const N: usize>:
    Copy
    + From<[u32; N]>
    + Into<[u32; N]>
    + Add<Output = Self>
    + BitAnd<Output = Self>
    + BitOr<Output = Self>
    + BitXor<Output = Self>
    + Not<Output = Self>
    + Shl<u32, Output = Self>
    + Shr<u32, Output = Self>
{
}

impl Words<4> for u32x4 {}
impl Words<8> for u32x8 {}

/// Advances up to `N` lanes by `blocks`. A lane without a body repeats the first one.
fn advance_lanes<V: Words<N>, const N: usize>(moving: &mut [&mut Md5Lane], blocks: usize) {
    let body_of = |n: usize| if n < moving.len() { n } else { 0 };
    let mut state: [V; 4] =
        array::from_fn(|word| V::from(array::from_fn(|n| moving[body_of(n)].state[word])));
    let bodies: [&[[u8; BLOCK_BYTES]]; N] =
        array::from_fn(|n| moving[body_of(n)].unread[..blocks * BLOCK_BYTES].as_chunks().0);
    #[allow(clippy::needless_range_loop)] // It indexes all bodies, not the first one.
    for block in 0..blocks {
        state = compress_lanes(state, array::from_fn(|n| &bodies[n][block]));
    }
    let words: [[u32; N]; 4] = state.map(Into::into);
    for (n, lane) in moving.iter_mut().enumerate() {
        lane.advanced(blocks, array::from_fn(|word| words[word][n]));
    }
}

/// Table of sines (RFC 1321, section 3.4, step 4).
#[rustfmt::skip]
const SINES: [u32; 64] = [
    0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
    0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
    0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
    0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
    0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
];
/// Rotation of each step of a round in bits; the four repeat.
const ROTATIONS: [[u32; 4]; 4] =
    [[7, 12, 17, 22], [5, 9, 14, 20], [4, 11, 16, 23], [6, 10, 15, 21]];

/// Processes one block of each body.
#[inline(always)]
fn compress_lanes<V: Words<N>, const N: usize>(
    state: [V; 4],
    blocks: [&[u8; BLOCK_BYTES]; N],
) -> [V; 4] {
    let words: [V; 16] = array::from_fn(|i| {
        V::from(blocks.map(|block| {
            let at = 4 * i;
            u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
        }))
    });
    let rotated = round(state, 0, &words, |i| i, |x, y, z| z ^ (x & (y ^ z)));
    let rotated = round(rotated, 1, &words, |i| 5 * i + 1, |x, y, z| y ^ (z & (x ^ y)));
    let rotated = round(rotated, 2, &words, |i| 3 * i + 5, |x, y, z| x ^ y ^ z);
    let rotated = round(rotated, 3, &words, |i| 7 * i, |x, y, z| y ^ (x | !z));
    array::from_fn(|i| state[i] + rotated[i])
}

/// One of the four rounds. `word` maps a step to a word of the block, modulo 16. `mix` is the
/// round's function of three words.
#[inline(always)]
fn round<V: Words<N>, const N: usize>(
    [mut a, mut b, mut c, mut d]: [V; 4],
    number: usize,
    words: &[V; 16],
    word: impl Fn(usize) -> usize,
    mix: impl Fn(V, V, V) -> V,
) -> [V; 4] {
    // Unrolled, so that the compiler knows each word, sine and rotation. A loop is 40 % slower.
    macro_rules! steps {
        ($($i:literal)*) => { $(
            let sine = V::from([SINES[16 * number + $i]; N]);
            let sum = a + mix(b, c, d) + words[word($i) % 16] + sine;
            let bits = ROTATIONS[number][$i % 4];
            let rotated = (sum << bits) | (sum >> (u32::BITS - bits));
            (a, b, c, d) = (d, b + rotated, b, c);
        )* };
    }
    steps!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
    [a, b, c, d]
}
