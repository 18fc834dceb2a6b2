//! Checksum of an object from the checksums of its parts, without reading their bytes again.
//!
//! COMPOSITE is the digest of the concatenated raw checksums. FULL_OBJECT exists only for CRCs,
//! which are linear: the CRC of `A` followed by `B` is the CRC of `A` shifted past the length of
//! `B`, plus the CRC of `B`. The shift is a multiplication by `x^(8 × length)` modulo the CRC's
//! polynomial, in GF(2)[x]. One word holds that power of `x`.
//!
//! **Cost:** one power for each distinct length of a part, and one multiplication for each part.
//! 10,000 equal parts take about a millisecond.

use std::collections::HashMap;

use super::checksum::{Checksum, ChecksumAlgorithm};
use super::hasher::{Hasher, WantedDigests};

/// COMPOSITE checksum: the digest of the concatenated raw checksums of the parts.
pub fn composite<'a>(
    algorithm: ChecksumAlgorithm,
    parts: impl Iterator<Item = &'a [u8]>,
) -> Checksum {
    let mut hasher = Hasher::new(WantedDigests { sha256: false, checksum: Some(algorithm) });
    parts.for_each(|part| hasher.update(part));
    hasher.finish().checksum.expect("the algorithm was asked for")
}

/// Arithmetic of one CRC: GF(2)[x] modulo its polynomial.
///
/// Bits are reflected, as in S3's CRCs: the highest bit of a value is the coefficient of `x^0`.
#[derive(Clone, Copy)]
struct CrcField {
    /// Polynomial without its leading term, reflected.
    polynomial: u64,
    /// Bytes of a value.
    bytes: usize,
}

impl CrcField {
    fn of(algorithm: ChecksumAlgorithm) -> Option<Self> {
        let polynomial = match algorithm {
            ChecksumAlgorithm::Crc32 => 0xedb8_8320,
            ChecksumAlgorithm::Crc32c => 0x82f6_3b78,
            ChecksumAlgorithm::Crc64nvme => 0x9a6c_9329_ac4b_c9b5,
            _ => return None,
        };
        Some(Self { polynomial, bytes: algorithm.length() })
    }

    /// `x^power`; `power` is below the width in bits.
    const fn monomial(self, power: usize) -> u64 {
        1 << (self.bytes * 8 - 1 - power)
    }

    /// Product `a × b`. Free of branches: every bit costs the same, set or not.
    const fn multiply(self, a: u64, b: u64) -> u64 {
        let (mut a, mut b) = (a << (64 - self.bytes * 8), b);
        let mut product = 0;
        let mut bit = 0;
        while bit < self.bytes * 8 {
            product ^= b & (a >> 63).wrapping_neg();
            a <<= 1;
            b = (b >> 1) ^ (self.polynomial & (b & 1).wrapping_neg());
            bit += 1;
        }
        product
    }

    /// `x^(8 × length)`, by repeated squaring.
    fn past(self, length: u64) -> u64 {
        let mut power = self.monomial(0);
        let mut square = self.monomial(8);
        let mut rest = length;
        while rest > 0 {
            if rest & 1 == 1 {
                power = self.multiply(power, square);
            }
            square = self.multiply(square, square);
            rest >>= 1;
        }
        power
    }
}

/// Combination of the CRCs of parts into the CRC of the object.
pub struct Combiner {
    algorithm: ChecksumAlgorithm,
    field: CrcField,
    crc: u64,
    /// `x^(8 × length)` by length of a part. At most one entry for each part.
    powers: HashMap<u64, u64>,
}

impl Combiner {
    /// Combiner without parts. `None` for an algorithm that is no CRC.
    pub fn new(algorithm: ChecksumAlgorithm) -> Option<Self> {
        let field = CrcField::of(algorithm)?;
        Some(Self { algorithm, field, crc: 0, powers: HashMap::new() })
    }

    /// Adds the next part: its raw CRC of `algorithm.length()` bytes, and its length in bytes.
    pub fn append(&mut self, crc: &[u8], length: u64) {
        assert_eq!(crc.len(), self.field.bytes, "a raw CRC has its algorithm's length");
        let crc = crc.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
        let field = self.field;
        let power = *self.powers.entry(length).or_insert_with(|| field.past(length));
        self.crc = field.multiply(power, self.crc) ^ crc;
    }

    /// CRC of all parts added.
    pub fn finish(self) -> Checksum {
        let value = self.crc.to_be_bytes()[8 - self.field.bytes..].to_vec();
        Checksum { algorithm: self.algorithm, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the cost without a clock: equal parts share one power of `x`.
    #[test]
    fn a_power_is_made_once_for_each_length() {
        let mut combiner = Combiner::new(ChecksumAlgorithm::Crc64nvme).expect("a CRC");
        for _ in 0..9_999 {
            combiner.append(&[1; 8], 8 << 20);
        }
        combiner.append(&[1; 8], 5);
        assert_eq!(combiner.powers.len(), 2);
    }

    #[test]
    fn a_huge_length_is_a_length() {
        let field = CrcField::of(ChecksumAlgorithm::Crc32).expect("a CRC");
        // The order of x divides 2^32 - 1, so a shift past that many bytes changes nothing.
        let period = u64::from(u32::MAX);
        assert_eq!(field.past(period), field.monomial(0));
        assert_eq!(field.past(u64::MAX), field.past(u64::MAX % period));
        assert_ne!(field.past(1), field.monomial(0));
    }
}
