//! The table of S3's checksum algorithms, and checksum values.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Checksum algorithms of S3. The discriminant is stored in the database and never reused.
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

/// Properties of one algorithm.
struct AlgorithmRow {
    algorithm: ChecksumAlgorithm,
    /// Name in `x-amz-checksum-algorithm`.
    name: &'static str,
    header: &'static str,
    element: &'static str,
    /// Bytes of the raw value.
    length: usize,
    /// Types that a multipart upload may have. The first is the default.
    types: &'static [ChecksumType],
}

const fn row(
    algorithm: ChecksumAlgorithm,
    name: &'static str,
    header: &'static str,
    element: &'static str,
    length: usize,
    types: &'static [ChecksumType],
) -> AlgorithmRow {
    AlgorithmRow { algorithm, name, header, element, length, types }
}

const EITHER: &[ChecksumType] = &[ChecksumType::Composite, ChecksumType::FullObject];
const BYTES: &[ChecksumType] = &[ChecksumType::FullObject];
const PARTS: &[ChecksumType] = &[ChecksumType::Composite];

/// Table of algorithms, in the order of the codes: row `n` has code `n + 1`.
#[rustfmt::skip]
const ROWS: [AlgorithmRow; 10] = {
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
    /// All algorithms, in the order of the codes.
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

    const fn row(self) -> &'static AlgorithmRow {
        &ROWS[self as usize - 1]
    }
    /// Name in `x-amz-checksum-algorithm`: `CRC32`, `XXHASH3`, ….
    pub const fn name(self) -> &'static str {
        self.row().name
    }
    /// Header with a value: `x-amz-checksum-crc32`, ….
    pub const fn header(self) -> &'static str {
        self.row().header
    }
    /// XML element with a value: `ChecksumCRC32`, ….
    pub const fn element(self) -> &'static str {
        self.row().element
    }
    /// Bytes of the raw value.
    pub const fn length(self) -> usize {
        self.row().length
    }
    /// Algorithm by its name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.name().eq_ignore_ascii_case(name))
    }
    /// Algorithm by the header of its values, in any case.
    pub fn from_header(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.header().eq_ignore_ascii_case(name))
    }
    /// Number in the database.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// Algorithm by its number in the database.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|a| a.code() == code)
    }
    /// Type of a multipart upload that names an algorithm but no type.
    pub const fn default_type(self) -> ChecksumType {
        self.row().types[0]
    }
    /// True if a multipart upload may have this type. (The checksum of an object in one piece is
    /// always FULL_OBJECT.)
    pub fn allows(self, kind: ChecksumType) -> bool {
        self.row().types.contains(&kind)
    }
}

/// Input of a checksum: the bytes of the object, or the checksums of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum ChecksumType {
    /// `FULL_OBJECT`: the bytes of the object.
    FullObject = 1,
    /// `COMPOSITE`: the raw checksums of the parts. Written `base64-N`, N the number of parts.
    Composite = 2,
}

impl ChecksumType {
    /// Name in `x-amz-checksum-type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
    /// Type by its name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FullObject, Self::Composite]
            .into_iter()
            .find(|t| t.name().eq_ignore_ascii_case(name))
    }
    /// Number in the database.
    pub const fn code(self) -> u8 {
        self as u8
    }
    /// Type by its number in the database.
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::FullObject, Self::Composite].into_iter().find(|t| t.code() == code)
    }
}

/// Checksum: an algorithm and a value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checksum {
    /// Algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Raw value, big-endian, `algorithm.length()` bytes.
    pub value: Vec<u8>,
}

impl Checksum {
    /// Checksum from padded base64 of exactly the algorithm's length.
    pub fn parse(algorithm: ChecksumAlgorithm, base64: &str) -> Option<Self> {
        // Checked before decoding, so that a long text allocates nothing.
        if base64.len() != algorithm.length().div_ceil(3) * 4 {
            return None;
        }
        let value = STANDARD.decode(base64).ok()?;
        (value.len() == algorithm.length()).then_some(Self { algorithm, value })
    }
    /// Value in padded base64, as in headers and XML.
    pub fn base64(&self) -> String {
        STANDARD.encode(&self.value)
    }
}

/// Checksum of an object as answers show it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectChecksum {
    /// Algorithm and value.
    pub checksum: Checksum,
    /// Input of the checksum.
    pub kind: ChecksumType,
    /// Number of parts, for COMPOSITE.
    pub parts: Option<u16>,
}

impl ObjectChecksum {
    /// Checksum of an object in one piece.
    pub const fn full(checksum: Checksum) -> Self {
        Self { checksum, kind: ChecksumType::FullObject, parts: None }
    }
    /// Text of headers and XML: `base64`, or `base64-N` for COMPOSITE.
    pub fn text(&self) -> String {
        let base64 = self.checksum.base64();
        match (self.kind, self.parts) {
            (ChecksumType::Composite, Some(parts)) => format!("{base64}-{parts}"),
            _ => base64,
        }
    }
    /// Bytes for the database: algorithm, type, number of parts (two bytes, big-endian, 0 for
    /// none), value.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(4 + self.checksum.value.len());
        bytes.extend([self.checksum.algorithm.code(), self.kind.code()]);
        bytes.extend(self.parts.unwrap_or(0).to_be_bytes());
        bytes.extend(&self.checksum.value);
        bytes
    }
    /// Checksum from the bytes of [`Self::encode`]. `None` for other bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (algorithm, kind) = Self::decode_kind(bytes)?;
        let (&[_, _, high, low], value) = bytes.split_first_chunk::<4>()?;
        let parts = Some(u16::from_be_bytes([high, low])).filter(|&n| n > 0);
        Some(Self { checksum: Checksum { algorithm, value: value.to_vec() }, kind, parts })
    }
    /// Algorithm and type from the bytes of [`Self::encode`], without a copy of the value.
    pub fn decode_kind(bytes: &[u8]) -> Option<(ChecksumAlgorithm, ChecksumType)> {
        let (&[algorithm, kind, ..], value) = bytes.split_first_chunk::<4>()?;
        let algorithm = ChecksumAlgorithm::from_code(algorithm)?;
        let kind = ChecksumType::from_code(kind)?;
        (value.len() == algorithm.length()).then_some((algorithm, kind))
    }
}

/// Result of a [`Hasher`](super::Hasher).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Digests {
    /// Number of bytes.
    pub length: u64,
    /// MD5, which becomes the ETag.
    pub md5: [u8; 16],
    /// CRC64NVME. Always computed and stored.
    pub crc64nvme: u64,
    /// SHA-256, if the caller wanted it.
    pub sha256: Option<[u8; 32]>,
    /// Checksum in the client's algorithm, if it named one. May repeat one of the above.
    pub checksum: Option<Checksum>,
}

impl Digests {
    /// Checksum in this algorithm, if it was computed.
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
