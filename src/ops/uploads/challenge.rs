//! One challenge of a proof of possession: ranges of a file, and the digest that answers it.
//!
//! **Invariants**
//! - A range lies in each sixteenth of the file, anywhere in it. Who has the fraction p of a file
//!   answers with a chance of at most p^16, however that part is spread: the sixteenths multiply,
//!   and a product is largest when all have the same share. Of a file of 64 KiB it is every byte.
//! - The digest begins with a fresh random nonce, so nothing can be computed ahead, or
//!   answered twice.
//! - The store computes the answer, and its bytes stay there.

use serde::{Deserialize, Serialize};

use crate::limits::challenges::Proof;
use crate::store::{NONCE_BYTES, RangesQuestion, SHARED_BYTES_MIN};
use crate::types::ByteRange;
use crate::wire::{Error, ErrorCode, Result};

/// Ranges that are asked for.
const RANGES: usize = 16;
/// Bytes of each.
const RANGE_BYTES: u64 = 4 << 10;
/// Random bytes for the place of one range: so many that no place is likelier than another.
const PLACE_BYTES: usize = 16;
/// Random bytes for a question: its nonce, and the places of its ranges.
pub const RANDOM_BYTES: usize = NONCE_BYTES + RANGES * PLACE_BYTES;

// Each sixteenth of the smallest file has room for its range.
const _: () = assert!(SHARED_BYTES_MIN >= RANGES as u64 * RANGE_BYTES);

/// A question about a file of `size` bytes, which must be one that can be found.
pub fn question(size: u64, random: &[u8; RANDOM_BYTES]) -> RangesQuestion {
    let (nonce, places) = random.split_first_chunk().expect("a nonce comes first");
    let (places, _) = places.as_chunks::<PLACE_BYTES>();
    let range =
        |(n, place): (u64, &[u8; PLACE_BYTES])| range_in(size, n, u128::from_be_bytes(*place));
    RangesQuestion { nonce: *nonce, ranges: (0..).zip(places).map(range).collect() }
}

/// A range in sixteenth `n` of a file, at one of all places that it can have there.
fn range_in(size: u64, n: u64, random: u128) -> ByteRange {
    let (begin, end) = (n * size / RANGES as u64, (n + 1) * size / RANGES as u64);
    let places = u128::from(end - begin - RANGE_BYTES + 1);
    let first = begin + (random % places) as u64;
    ByteRange { first, last: first + RANGE_BYTES - 1 }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    upload_id: String,
    bucket: &'a str,
    key: &'a str,
    nonce: String,
    algorithm: &'static str,
    ranges: Vec<Block>,
    expires_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Block {
    start_byte: u64,
    end_byte: u64,
}

/// The document in which it is asked (`docs/schemas/challenge.json`).
pub fn document(
    (bucket, key, upload_id): (&str, &str, String),
    question: &RangesQuestion,
    expires_at: String,
) -> String {
    let block = |range: &ByteRange| Block { start_byte: range.first, end_byte: range.last };
    let document = Document {
        upload_id,
        bucket,
        key,
        nonce: hex::encode(question.nonce),
        algorithm: "SHA-256",
        ranges: question.ranges.iter().map(block).collect(),
        expires_at,
    };
    serde_json::to_string(&document).expect("texts and numbers can be written")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProofDocument {
    nonce: String,
    sha256: String,
}

/// The answer in a document (`docs/schemas/proof.json`).
///
/// # Errors
/// InvalidRequest when it is no such document.
pub fn proof(document: &[u8]) -> Result<Proof> {
    let refused = |error: String| Err(Error::because(ErrorCode::InvalidRequest, error));
    let document: ProofDocument = match serde_json::from_slice(document) {
        Ok(document) => document,
        Err(error) => return refused(format!("Expected a proof: {error}")),
    };
    let mut proof = Proof { nonce: [0; NONCE_BYTES], sha256: [0; 32] };
    for (name, text, bytes) in [
        ("nonce", &document.nonce, &mut proof.nonce),
        ("sha256", &document.sha256, &mut proof.sha256),
    ] {
        if hex::decode_to_slice(text, bytes).is_err() {
            return refused(format!("{name} is not 64 hexadecimal digits."));
        }
    }
    Ok(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn random_question(size: u64) -> RangesQuestion {
        let mut random = [0; RANDOM_BYTES];
        let source = rustls::crypto::aws_lc_rs::default_provider().secure_random;
        source.fill(&mut random).expect("random bytes");
        question(size, &random)
    }

    #[test]
    fn a_range_lies_in_each_sixteenth_of_files_of_all_sizes() {
        for size in [SHARED_BYTES_MIN, 65_537, 70_000, 131_071, MIB + 1, 5 << 40] {
            for random in [0, 1, 12_345_678_901_234_567_890, u128::MAX] {
                let mut end_before = 0;
                for n in 0..RANGES as u64 {
                    let range = range_in(size, n, random);
                    assert_eq!(range.len(), RANGE_BYTES, "{size}");
                    assert!(range.first >= end_before && range.last < size, "{size} {range:?}");
                    end_before = range.last + 1;
                }
            }
        }
    }

    #[test]
    fn the_smallest_file_is_asked_for_whole_and_every_byte_of_others_can_be() {
        let question = random_question(SHARED_BYTES_MIN);
        let starts: Vec<u64> = question.ranges.iter().map(|range| range.first).collect();
        assert_eq!(starts, (0..16).map(|n| n * RANGE_BYTES).collect::<Vec<_>>());
        // Both ends of a sixteenth, and each place between them.
        let places: std::collections::BTreeSet<u64> =
            (0..279).map(|random| range_in(70_000, 0, random).first).collect();
        assert_eq!(places, (0..=279 - 1).collect());
        assert_eq!(range_in(70_000, 0, 279).last, 70_000 / 16 - 1, "the last byte");
    }

    #[test]
    fn no_two_questions_are_the_same() {
        let (one, other) = (random_question(MIB), random_question(MIB));
        assert_ne!(one.nonce, other.nonce);
        assert_ne!(one.ranges, other.ranges);
    }

    /// Fraction of 20,000 challenges that can be answered with only those bytes of which `has` is
    /// true.
    fn chance(size: u64, has: impl Fn(ByteRange) -> bool) -> f64 {
        const QUESTIONS: usize = 20_000;
        let answered = (0..QUESTIONS)
            .filter(|_| {
                let question = random_question(size);
                question.ranges.iter().all(|range| has(*range))
            })
            .count();
        answered as f64 / QUESTIONS as f64
    }

    #[test]
    fn a_fraction_of_the_file_is_worth_its_sixteenth_power() {
        let size = 64 * MIB;
        let sixteenth = size / 16;
        // Nine tenths of each sixteenth: the best that nine tenths of a file can be.
        let best = chance(size, |range| range.last % sixteenth < sixteenth * 9 / 10);
        assert!((0.15..0.21).contains(&best), "0.9^16 is 0.185, not {best}");
        // Without two sixteenths in one piece they are worth nothing, and half of the file neither.
        assert_eq!(chance(size, |range| range.last < size * 7 / 8), 0.0);
        assert_eq!(chance(size, |range| range.first >= size / 2), 0.0);
    }

    #[test]
    fn other_documents_are_no_proof() {
        let (nonce, sha256) = ("0".repeat(64), "Ab".repeat(32));
        let right = format!(r#"{{"nonce":"{nonce}","sha256":"{sha256}"}}"#);
        let parsed = proof(right.as_bytes()).unwrap();
        assert_eq!(parsed, Proof { nonce: [0; 32], sha256: [0xab; 32] });
        for wrong in [
            String::new(),
            "{}".into(),
            right.replace("Ab", "A"),
            right.replacen('0', "", 1),
            right.replace("Ab", "xy"),
            right.replace("\"nonce\"", "\"once\""),
            right.replace('}', r#","size":1}"#),
            right.replace(&format!("\"{nonce}\""), "0"),
        ] {
            let error = proof(wrong.as_bytes()).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidRequest, "{wrong}");
        }
    }
}
