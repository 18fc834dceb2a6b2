//! Digests: MD5, SHA, CRC and XXHASH, one table of S3's checksum algorithms, and the arithmetic that
//! joins the checksums of parts without reading their bytes again.

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

/// Whether a checksum covers the whole object's bytes or the checksums of its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum ChecksumType {
    /// `FULL_OBJECT`: over the bytes.
    FullObject = 1,
    /// `COMPOSITE`: over the parts' checksums, written `base64-N`.
    Composite = 2,
}

/// One checksum of some bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Checksum {
    /// The algorithm.
    pub algorithm: ChecksumAlgorithm,
    /// Its raw value, big-endian, `algorithm.length()` bytes.
    pub value: Vec<u8>,
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
