//! Digests: MD5, SHA, CRC and XXHASH, one table of S3's checksum algorithms, and the arithmetic
//! that joins the checksums of parts without reading their bytes again.
//!
//! **Invariants**
//! - [`ROWS`] is the only place that knows an algorithm's names, length and types.
//! - A raw value is big-endian and exactly `algorithm.length()` bytes long.

mod combine;
mod hasher;
pub mod lanes;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use combine::{Combiner, composite};
pub use hasher::{Hasher, Others, Want, crc32c};

/// S3's checksum algorithms. The discriminant is kept in the database and never reused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
#[repr(u8)]
#[allow(missing_docs)] // Each is the algorithm of that name.
pub enum ChecksumAlgorithm {
    Crc32 = 1,
    Crc32c = 2,
    Crc64nvme = 3,
    Sha1 = 4,
    Sha256 = 5,
    Sha512 = 6,
    Md5 = 7,
    Xxhash64 = 8,
    Xxhash3 = 9,
    Xxhash128 = 10,
}

/// What S3 says of one algorithm.
struct Row {
    algorithm: ChecksumAlgorithm,
    /// As in `x-amz-checksum-algorithm`.
    name: &'static str,
    header: &'static str,
    element: &'static str,
    /// Bytes of the raw value.
    length: usize,
    /// What a multipart upload may be created with; the first is the default.
    types: &'static [ChecksumType],
}

const fn row(
    algorithm: ChecksumAlgorithm,
    name: &'static str,
    header: &'static str,
    element: &'static str,
    length: usize,
    types: &'static [ChecksumType],
) -> Row {
    Row { algorithm, name, header, element, length, types }
}

const EITHER: &[ChecksumType] = &[ChecksumType::Composite, ChecksumType::FullObject];
const BYTES: &[ChecksumType] = &[ChecksumType::FullObject];
const PARTS: &[ChecksumType] = &[ChecksumType::Composite];

/// The table, in the order of the codes: row `n` is code `n + 1`.
#[rustfmt::skip]
const ROWS: [Row; 10] = {
    use ChecksumAlgorithm as A;
    [
        row(A::Crc32, "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4, EITHER),
        row(A::Crc32c, "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4, EITHER),
        row(A::Crc64nvme, "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8, BYTES),
        row(A::Sha1, "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20, PARTS),
        row(A::Sha256, "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32, PARTS),
        row(A::Sha512, "SHA512", "x-amz-checksum-sha512", "ChecksumSHA512", 64, PARTS),
        row(A::Md5, "MD5", "x-amz-checksum-md5", "ChecksumMD5", 16, PARTS),
        row(A::Xxhash64, "XXHASH64", "x-amz-checksum-xxhash64", "ChecksumXXHASH64", 8, PARTS),
        row(A::Xxhash3, "XXHASH3", "x-amz-checksum-xxhash3", "ChecksumXXHASH3", 8, PARTS),
        row(A::Xxhash128, "XXHASH128", "x-amz-checksum-xxhash128", "ChecksumXXHASH128", 16, PARTS),
    ]
};

impl ChecksumAlgorithm {
    /// Every algorithm, in the order of the codes.
    pub const ALL: &[Self] = &{
        let mut all = [Self::Crc32; ROWS.len()];
        let mut i = 0;
        while i < ROWS.len() {
            assert!(ROWS[i].algorithm as usize == i + 1, "row n is code n + 1");
            all[i] = ROWS[i].algorithm;
            i += 1;
        }
        all
    };

    const fn row(self) -> &'static Row {
        &ROWS[self as usize - 1]
    }
    /// The name as in `x-amz-checksum-algorithm`: `CRC32`, `XXHASH3`, ….
    pub const fn name(self) -> &'static str {
        self.row().name
    }
    /// The header that carries a value: `x-amz-checksum-crc32`, ….
    pub const fn header(self) -> &'static str {
        self.row().header
    }
    /// The XML element that carries a value: `ChecksumCRC32`, ….
    pub const fn element(self) -> &'static str {
        self.row().element
    }
    /// Bytes of the raw value.
    pub const fn length(self) -> usize {
        self.row().length
    }
    /// The algorithm of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name().eq_ignore_ascii_case(name))
    }
    /// The algorithm whose values that header carries, in any case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.header().eq_ignore_ascii_case(name))
    }
    /// The number that is kept in the database.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The algorithm that [`Self::code`] numbered so.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.code() == code)
    }
    /// The type of a multipart upload that names the algorithm but no type.
    pub const fn default_type(self) -> ChecksumType {
        self.row().types[0]
    }
    /// Whether a multipart upload may have this type. (An object of one piece is always
    /// FULL_OBJECT, whatever the algorithm.)
    pub fn allows(self, kind: ChecksumType) -> bool {
        self.row().types.contains(&kind)
    }
}

/// Whether a checksum covers the whole object's bytes or the checksums of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum ChecksumType {
    /// `FULL_OBJECT`: over the bytes.
    FullObject = 1,
    /// `COMPOSITE`: over the parts' checksums, written `base64-N`.
    Composite = 2,
}

impl ChecksumType {
    /// The name as in `x-amz-checksum-type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
    /// The type of that name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(name))
    }
    /// The number that is kept in the database.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// The type that [`Self::code`] numbered so.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|t| t.code() == code)
    }
}

/// One checksum of some bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Its raw value, big-endian, `algorithm.length()` bytes.
    pub value: Vec<u8>,
}

impl Checksum {
    /// From padded base64 of exactly the algorithm's length.
    pub fn parse(algorithm: ChecksumAlgorithm, base64: &str) -> Option<Self> {
        // Checked before decoding, so that the text cannot make us allocate more than this.
        if base64.len() != algorithm.length().div_ceil(3) * 4 {
            return None;
        }
        let value = STANDARD.decode(base64).ok()?;
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }
    /// Padded base64, as in headers and XML.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.value)
    }
}

/// The checksum of an object as S3 shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectChecksum {
    /// Algorithm and value.
    pub checksum: Checksum,
    /// What it covers.
    pub kind: ChecksumType,
    /// The number of parts, for COMPOSITE.
    pub parts: Option<u16>,
}

impl ObjectChecksum {
    /// That of an object of one piece.
    pub const fn full(checksum: Checksum) -> Self {
        Self { checksum, kind: ChecksumType::FullObject, parts: None }
    }
    /// `base64`, or `base64-N` for COMPOSITE: the form of headers and XML.
    pub fn text(&self) -> String {
        let base64 = self.checksum.base64();
        match (self.kind, self.parts) {
            (ChecksumType::Composite, Some(parts)) => format!("{base64}-{parts}"),
            _ => base64,
        }
    }
    /// The form of the database: algorithm, type, number of parts (two bytes, 0 for none), value.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.checksum.value.len());
        bytes.extend([self.checksum.algorithm.code(), self.kind.code()]);
        bytes.extend(self.parts.unwrap_or(0).to_be_bytes());
        bytes.extend(&self.checksum.value);
        bytes
    }
    /// What [`Self::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (algorithm, kind) = Self::decode_kind(bytes)?;
        let (&[_, _, high, low], value) = bytes.split_first_chunk::<4>()?;
        let parts = Some(u16::from_be_bytes([high, low])).filter(|&n| n > 0);
        Some(Self { checksum: Checksum { algorithm, value: value.to_vec() }, kind, parts })
    }
    /// As [`Self::decode`], but without the value: lists do not tell it.
    pub fn decode_kind(bytes: &[u8]) -> Option<(ChecksumAlgorithm, ChecksumType)> {
        let (&[algorithm, kind, ..], value) = bytes.split_first_chunk::<4>()?;
        let algorithm = ChecksumAlgorithm::from_code(algorithm)?;
        let kind = ChecksumType::from_code(kind)?;
        (value.len() == algorithm.length()).then_some((algorithm, kind))
    }
}

/// Everything computed while a body streams by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digests {
    /// Number of bytes.
    pub length: u64,
    /// MD5: the ETag.
    pub md5: [u8; 16],
    /// CRC64NVME, always computed and kept.
    pub crc64nvme: u64,
    /// SHA-256, when it was asked for.
    pub sha256: Option<[u8; 32]>,
    /// The client's algorithm, when it named one (may repeat one of the above).
    pub checksum: Option<Checksum>,
}

impl Digests {
    /// The checksum in this algorithm, if it was computed.
    pub fn checksum_for(&self, algorithm: ChecksumAlgorithm) -> Option<Checksum> {
        if let Some(checksum) = self.checksum.as_ref().filter(|c| c.algorithm == algorithm) {
            return Some(checksum.clone());
        }
        let value = match algorithm {
            ChecksumAlgorithm::Crc64nvme => self.crc64nvme.to_be_bytes().to_vec(),
            ChecksumAlgorithm::Md5 => self.md5.to_vec(),
            ChecksumAlgorithm::Sha256 => self.sha256?.to_vec(),
            _ => return None,
        };
        Some(Checksum { algorithm, value })
    }
}

#[cfg(test)]
mod tests;
