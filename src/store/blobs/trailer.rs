//! The trailer of a blob file, byte by byte.
//!
//! A blob file is its plain bytes and then a trailer. All numbers are little-endian; a CRC is the
//! CRC32C (Castagnoli). The plain bytes are cut into blocks of 64 KiB, the last one shorter.
//!
//! **Checksum pages** come first, one for each 1023 blocks (none for an empty blob):
//!
//! | bytes | what |
//! |---|---|
//! | 4 × n | the CRC of each block; n is 1023 but in the last page, so a full page has 4 KiB |
//! | 4 | CRC over the blob id, the page's number (u64, from 0) and the 4 × n bytes |
//!
//! **The index** follows, and ends the file:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `PARTITAb` |
//! | 8 | 2 | format version: 1 |
//! | 10 | 2 | part number, 0 for a blob that is no part |
//! | 12 | 4 | bytes of a block: 65536 |
//! | 16 | 16 | blob id |
//! | 32 | 8 | run: the other half of the file's name |
//! | 40 | 8 | bucket id, signed |
//! | 48 | 16 | upload id, zeros for a blob that is no part |
//! | 64 | 8 | length: plain bytes |
//! | 72 | 16 | MD5 |
//! | 88 | 8 | CRC64NVME |
//! | 96 | 32 | SHA-256, zeros if there is none |
//! | 128 | 1 | 1 if there is a SHA-256, else 0 |
//! | 129 | 1 | the client's checksum algorithm, 0 for none |
//! | 130 | 1 | bytes of its value |
//! | 131 | 1 | 0 |
//! | 132 | 64 | its value, then zeros |
//! | 196 | 2 | k: bytes of the key |
//! | 198 | k | the key |
//! | 198 + k | 4 | bytes of the index up to here: 198 + k |
//! | 202 + k | 4 | CRC over everything in the index up to here |
//! | 206 + k | 8 | `bEND\r\n\x1a\n` |
//!
//! So a reader that knows the length knows where the index begins, and one that knows nothing finds
//! it from the file's end. Any flipped bit of a trailer is noticed.

use super::name::BlobName;
use super::origin::{BlobOrigin, BlobRecord};
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::types::{BlobId, KEY_BYTES_MAX, ObjectKey, PartNumber, UploadId};

/// Bytes of plain data under one CRC32C.
pub const BLOCK_BYTES: u64 = 64 << 10;
const MAGIC: [u8; 8] = *b"PARTITAb";
const MAGIC_END: [u8; 8] = *b"bEND\r\n\x1a\n";
const VERSION: u16 = 1;
/// Index bytes before the key.
const FIXED_BYTES: usize = 198;
/// Index bytes after the key.
const END_BYTES: usize = 16;
/// Room for the client's checksum: SHA-512 is the longest.
const CHECKSUM_BYTES_MAX: usize = 64;
/// Block CRCs in a full page.
const PAGE_BLOCKS: u64 = 1023;
/// Bytes of a full page.
const PAGE_BYTES: u64 = 4 * PAGE_BLOCKS + 4;
/// The longest index.
pub(super) const INDEX_BYTES_MAX: usize = FIXED_BYTES + KEY_BYTES_MAX + END_BYTES;

/// CRC32C of `bytes`.
pub(super) fn crc32c(bytes: &[u8]) -> u32 {
    u32::try_from(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes))
        .expect("a CRC32C has 32 bits")
}

/// Number of blocks in `length` plain bytes.
pub(super) const fn blocks(length: u64) -> u64 {
    length.div_ceil(BLOCK_BYTES)
}

/// Number of checksum pages for `length` plain bytes.
pub(super) const fn pages(length: u64) -> u64 {
    blocks(length).div_ceil(PAGE_BLOCKS)
}

/// Number of the page that has the CRC of a block, and the index in it.
pub(super) fn page_of(block: u64) -> (u64, usize) {
    let place = usize::try_from(block % PAGE_BLOCKS).expect("less than a page");
    (block / PAGE_BLOCKS, place)
}

/// Offset of a page in the file, and its bytes.
pub(super) fn page_span(length: u64, page: u64) -> (u64, usize) {
    let sums = (blocks(length) - page * PAGE_BLOCKS).min(PAGE_BLOCKS);
    let bytes = usize::try_from(4 * sums + 4).expect("a page is small");
    (length + page * PAGE_BYTES, bytes)
}

/// Offset of the index in the file.
pub(super) const fn index_offset(length: u64) -> u64 {
    length + 4 * blocks(length) + 4 * pages(length)
}

/// Bytes of the whole file of a blob of `length` bytes with this key.
pub(super) fn file_bytes(length: u64, key: &ObjectKey) -> u64 {
    index_offset(length) + (FIXED_BYTES + key.as_bytes().len() + END_BYTES) as u64
}

/// Appends the trailer to `out`; `sums` are the blocks' CRCs in order.
pub(super) fn append(out: &mut Vec<u8>, record: &BlobRecord, sums: &[u32]) {
    let length = record.digests.length;
    assert_eq!(sums.len() as u64, blocks(length), "one CRC for each block");
    for (page, sums) in (0..).zip(sums.chunks(PAGE_BLOCKS as usize)) {
        let start = out.len();
        sums.iter().for_each(|sum| out.extend(sum.to_le_bytes()));
        let crc = page_crc(record.name.id, page, &out[start..]);
        out.extend(crc.to_le_bytes());
    }
    let start = out.len();
    append_index(out, record);
    let bytes = u32::try_from(out.len() - start).expect("an index is small");
    out.extend(bytes.to_le_bytes());
    let crc = crc32c(&out[start..]);
    out.extend(crc.to_le_bytes());
    out.extend(MAGIC_END);
}

fn append_index(out: &mut Vec<u8>, record: &BlobRecord) {
    let BlobRecord { name, origin, digests } = record;
    let part = origin.part.map_or((0, [0; 16]), |(id, number)| (number.get(), *id.as_bytes()));
    out.extend(MAGIC);
    out.extend(VERSION.to_le_bytes());
    out.extend(part.0.to_le_bytes());
    out.extend((BLOCK_BYTES as u32).to_le_bytes());
    out.extend(name.id.as_bytes());
    out.extend(name.run.to_le_bytes());
    out.extend(origin.bucket.to_le_bytes());
    out.extend(part.1);
    out.extend(digests.length.to_le_bytes());
    out.extend(digests.md5);
    out.extend(digests.crc64nvme.to_le_bytes());
    out.extend(digests.sha256.unwrap_or_default());
    out.push(u8::from(digests.sha256.is_some()));
    let value = digests.checksum.as_ref().map_or(&[][..], |checksum| &checksum.value);
    assert!(value.len() <= CHECKSUM_BYTES_MAX, "no algorithm has a longer value");
    out.push(digests.checksum.as_ref().map_or(0, |checksum| checksum.algorithm as u8));
    out.push(value.len() as u8);
    out.push(0);
    out.extend(value);
    out.resize(out.len() + CHECKSUM_BYTES_MAX - value.len(), 0);
    let key = origin.key.as_bytes();
    out.extend(u16::try_from(key.len()).expect("a key has at most 1024 bytes").to_le_bytes());
    out.extend(key);
}

/// The CRCs in a page, if the page verifies; `page` is its number.
pub(super) fn parse_page(id: BlobId, page: u64, bytes: &[u8]) -> Option<Vec<u32>> {
    let (sums, crc) = bytes.split_last_chunk::<4>()?;
    if page_crc(id, page, sums) != u32::from_le_bytes(*crc) {
        return None;
    }
    let (sums, rest) = sums.as_chunks::<4>();
    rest.is_empty().then(|| sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect())
}

/// Blob and number are part of it, so that a page in the wrong place does not verify.
fn page_crc(id: BlobId, page: u64, sums: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(id.as_bytes());
    digest.update(&page.to_le_bytes());
    digest.update(sums);
    u32::try_from(digest.finalize()).expect("a CRC32C has 32 bits")
}

/// The index at the end of `tail` (which may begin before it) and its bytes, end included; or how
/// it fails to verify.
pub(super) fn parse_end(tail: &[u8]) -> Result<(BlobRecord, usize), &'static str> {
    let (rest, magic) = tail.split_last_chunk().ok_or("the index is cut off")?;
    if *magic != MAGIC_END {
        return Err("the file does not end with an index");
    }
    let (rest, crc) = rest.split_last_chunk().ok_or("the index is cut off")?;
    let (rest, bytes) = rest.split_last_chunk().ok_or("the index is cut off")?;
    let bytes = u32::from_le_bytes(*bytes) as usize;
    let start = rest.len().checked_sub(bytes).ok_or("the index is longer than it can be")?;
    let covered = tail.get(start..start + bytes + 4).ok_or("the index is cut off")?;
    if crc32c(covered) != u32::from_le_bytes(*crc) {
        return Err("the index does not match its checksum");
    }
    let record = parse_index(&rest[start..])?;
    Ok((record, bytes + END_BYTES))
}

/// Parses an index at the beginning of `bytes`, which continue after it.
pub(super) fn parse_start(bytes: &[u8]) -> Result<(BlobRecord, usize), &'static str> {
    let key_bytes = bytes.get(FIXED_BYTES - 2..FIXED_BYTES).ok_or("the index is cut off")?;
    let key_bytes = u16::from_le_bytes(key_bytes.try_into().expect("two bytes"));
    let index_bytes = FIXED_BYTES + usize::from(key_bytes) + END_BYTES;
    let index = bytes.get(..index_bytes).ok_or("the index is cut off")?;
    match parse_end(index)? {
        (record, found) if found == index_bytes => Ok((record, found)),
        _ => Err("the index has another length than it tells"),
    }
}

/// Takes fixed-size fields one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], &'static str> {
        let (field, rest) = self.0.split_first_chunk().ok_or("the index is too short")?;
        self.0 = rest;
        Ok(*field)
    }
}

fn parse_index(bytes: &[u8]) -> Result<BlobRecord, &'static str> {
    let mut fields = Fields(bytes);
    if fields.take()? != MAGIC {
        return Err("the index has a foreign magic");
    }
    if u16::from_le_bytes(fields.take()?) != VERSION {
        return Err("the index has a format version that this program does not know");
    }
    let part_number = u16::from_le_bytes(fields.take()?);
    if u64::from(u32::from_le_bytes(fields.take()?)) != BLOCK_BYTES {
        return Err("the index has another block size");
    }
    let id = BlobId::from_bytes(fields.take()?);
    let run = u64::from_le_bytes(fields.take()?);
    let bucket = i64::from_le_bytes(fields.take()?);
    let upload = UploadId::from_bytes(fields.take()?);
    let part = match part_number {
        0 => None,
        n => Some((upload, PartNumber::new(n).ok_or("the index has an impossible part number")?)),
    };
    let length = u64::from_le_bytes(fields.take()?);
    let md5 = fields.take()?;
    let crc64nvme = u64::from_le_bytes(fields.take()?);
    let sha256 = fields.take()?;
    let [has_sha256, algorithm, value_bytes, _] = fields.take()?;
    let value: [u8; CHECKSUM_BYTES_MAX] = fields.take()?;
    let value = value.get(..value_bytes.into()).ok_or("the index has too long a checksum")?;
    let checksum = match algorithm {
        0 => None,
        n => {
            let algorithm = algorithm_of(n).ok_or("the index has an unknown algorithm")?;
            Some(Checksum { algorithm, value: value.to_vec() })
        }
    };
    if usize::from(u16::from_le_bytes(fields.take()?)) != fields.0.len() {
        return Err("the index has a key of another length");
    }
    let key = ObjectKey::parse(fields.0).map_err(|_| "the index has an impossible key")?;
    let sha256 = (has_sha256 == 1).then_some(sha256);
    Ok(BlobRecord {
        name: BlobName { run, id },
        origin: BlobOrigin { bucket, key, part },
        digests: Digests { length, md5, crc64nvme, sha256, checksum },
    })
}

fn algorithm_of(code: u8) -> Option<ChecksumAlgorithm> {
    use ChecksumAlgorithm::*;
    [Crc32, Crc32c, Crc64nvme, Sha1, Sha256, Sha512, Md5, Xxhash64, Xxhash3, Xxhash128]
        .into_iter()
        .find(|&algorithm| algorithm as u8 == code)
}
