//! Digests of test data, independent of the gateway's code: the CRCs are the textbook's.

use base64::Engine;
use md5::Digest;

/// Pseudo-random bytes: the same for the same length and seed, different for another seed.
pub fn bytes_of(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Padded base64.
pub fn base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// MD5 in hexadecimal: an ETag without its quotes.
pub fn md5_hex(bytes: &[u8]) -> String {
    hex::encode(md5::Md5::digest(bytes))
}

/// A reflected CRC of `width` bits, all ones at the start and inverted at the end.
fn crc(bytes: &[u8], polynomial: u64, width: u32) -> u64 {
    let mask = u64::MAX >> (64 - width);
    let mut table = [0_u64; 256];
    for (index, entry) in table.iter_mut().enumerate() {
        *entry = index as u64;
        for _ in 0..8 {
            *entry = (*entry >> 1) ^ if *entry & 1 == 1 { polynomial } else { 0 };
        }
    }
    let step = |crc: u64, byte: &u8| (crc >> 8) ^ table[usize::from(crc as u8 ^ byte)];
    bytes.iter().fold(mask, step) ^ mask
}

/// Algorithms of S3 whose checksum of a multipart object can cover the whole object.
pub fn crc_names() -> [&'static str; 3] {
    ["crc32", "crc32c", "crc64nvme"]
}

/// Raw checksum, by the name in `x-amz-checksum-<name>`.
pub fn checksum(name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    Some(match name {
        "crc32" => (crc(bytes, 0xedb8_8320, 32) as u32).to_be_bytes().to_vec(),
        "crc32c" => (crc(bytes, 0x82f6_3b78, 32) as u32).to_be_bytes().to_vec(),
        "crc64nvme" => crc(bytes, 0x9a6c_9329_ac4b_c9b5, 64).to_be_bytes().to_vec(),
        "sha1" => sha1::Sha1::digest(bytes).to_vec(),
        "sha256" => sha2::Sha256::digest(bytes).to_vec(),
        "sha512" => sha2::Sha512::digest(bytes).to_vec(),
        "md5" => md5::Md5::digest(bytes).to_vec(),
        "xxhash64" => xxhash_rust::xxh64::xxh64(bytes, 0).to_be_bytes().to_vec(),
        "xxhash3" => xxhash_rust::xxh3::xxh3_64(bytes).to_be_bytes().to_vec(),
        "xxhash128" => xxhash_rust::xxh3::xxh3_128(bytes).to_be_bytes().to_vec(),
        _ => return None,
    })
}

#[test]
fn published_vectors() {
    for (name, expected) in [
        ("crc32", "cbf43926"),
        ("crc32c", "e3069283"),
        ("crc64nvme", "ae8b14860a799888"),
        ("md5", "25f9e794323b453885f5181f1b624d0b"),
        ("sha1", "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
    ] {
        assert_eq!(hex::encode(checksum(name, b"123456789").unwrap()), expected, "{name}");
    }
}
