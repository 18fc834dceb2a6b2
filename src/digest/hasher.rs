//! [`Hasher`]: all digests of a body in one pass.
//!
//! **Invariant:** no digest is computed twice. MD5 and CRC64NVME always run. If the client's
//! algorithm is one of these or SHA-256, its checksum is taken from that digest.

use crc_fast::CrcAlgorithm;
use sha2::Digest as _;
use xxhash_rust::xxh3::Xxh3Default;
use xxhash_rust::xxh64::Xxh64;

use super::checksum::{Checksum, ChecksumAlgorithm, Digests};

/// Seed of XXHASH; S3 uses none.
const XXHASH_SEED: u64 = 0;
/// Bytes that pass through one digest before the next: a block stays in the L1 cache.
const BLOCK_BYTES: usize = 16 << 10;

/// Digests to compute besides MD5 and CRC64NVME.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WantedDigests {
    /// SHA-256 for the signature.
    pub sha256: bool,
    /// Algorithm of the client's checksum.
    pub checksum: Option<ChecksumAlgorithm>,
}

/// Incremental computation of [`Digests`].
pub struct Hasher {
    md5: md5::Md5,
    others: HasherWithoutMd5,
}

/// [`Hasher`] without MD5, for bodies whose MD5 is computed in a lane (see [`super::lanes`]).
pub struct HasherWithoutMd5 {
    length: u64,
    crc64nvme: crc_fast::Digest,
    sha256: Option<sha2::Sha256>,
    checksum: Option<ChecksumAlgorithm>,
    extra: OptionalHasher,
}

/// Digest of an algorithm that runs only when a client names it.
enum OptionalHasher {
    None,
    Crc32(crc_fast::Digest),
    Sha1(sha1::Sha1),
    Sha512(sha2::Sha512),
    Xxhash64(Xxh64),
    /// XXHASH3 and XXHASH128: the same state, finished in two ways.
    Xxhash3(Box<Xxh3Default>),
}

impl OptionalHasher {
    fn new(algorithm: Option<ChecksumAlgorithm>) -> Self {
        use ChecksumAlgorithm as A;
        match algorithm {
            None | Some(A::Crc64nvme | A::Md5 | A::Sha256) => Self::None,
            Some(A::Crc32) => Self::Crc32(crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
            Some(A::Crc32c) => Self::Crc32(crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            Some(A::Sha1) => Self::Sha1(sha1::Sha1::new()),
            Some(A::Sha512) => Self::Sha512(sha2::Sha512::new()),
            Some(A::Xxhash64) => Self::Xxhash64(Xxh64::new(XXHASH_SEED)),
            Some(A::Xxhash3 | A::Xxhash128) => Self::Xxhash3(Box::default()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::None => {}
            Self::Crc32(state) => state.update(bytes),
            Self::Sha1(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
            Self::Xxhash64(state) => state.update(bytes),
            Self::Xxhash3(state) => state.update(bytes),
        }
    }

    /// Raw value. `None` for an algorithm that always runs.
    fn finish(self, algorithm: ChecksumAlgorithm) -> Option<Vec<u8>> {
        Some(match self {
            Self::None => return None,
            Self::Crc32(state) => crc32_value(&state).to_be_bytes().to_vec(),
            Self::Sha1(state) => state.finalize().to_vec(),
            Self::Sha512(state) => state.finalize().to_vec(),
            Self::Xxhash64(state) => state.digest().to_be_bytes().to_vec(),
            Self::Xxhash3(state) if algorithm == ChecksumAlgorithm::Xxhash128 => {
                state.digest128().to_be_bytes().to_vec()
            }
            Self::Xxhash3(state) => state.digest().to_be_bytes().to_vec(),
        })
    }
}

impl Hasher {
    /// Hasher of an empty body.
    pub fn new(want: WantedDigests) -> Self {
        Self { md5: md5::Md5::new(), others: HasherWithoutMd5::new(want) }
    }

    /// Adds the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.md5.update(block);
            self.others.update(block);
        }
    }

    /// Digests of all bytes added.
    pub fn finish(self) -> Digests {
        self.others.finish(self.md5.finalize().into())
    }
}

impl HasherWithoutMd5 {
    /// Hasher of an empty body.
    pub fn new(want: WantedDigests) -> Self {
        let sha256 = want.sha256 || want.checksum == Some(ChecksumAlgorithm::Sha256);
        Self {
            length: 0,
            crc64nvme: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            sha256: sha256.then(sha2::Sha256::new),
            checksum: want.checksum,
            extra: OptionalHasher::new(want.checksum),
        }
    }

    /// Adds the next bytes of the body.
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.length += block.len() as u64;
            self.crc64nvme.update(block);
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(block);
            }
            self.extra.update(block);
        }
    }

    /// Digests of all bytes added. `md5` is the MD5 of the same bytes.
    pub fn finish(self, md5: [u8; 16]) -> Digests {
        let mut digests = Digests {
            length: self.length,
            md5,
            crc64nvme: self.crc64nvme.finalize(),
            sha256: self.sha256.map(|state| state.finalize().into()),
            checksum: None,
        };
        if let Some(algorithm) = self.checksum {
            digests.checksum = match self.extra.finish(algorithm) {
                Some(value) => Some(Checksum { algorithm, value }),
                None => digests.checksum_for(algorithm),
            };
            assert!(digests.checksum.is_some(), "what was asked for is computed");
        }
        digests
    }
}

/// CRC64NVME of these bytes.
pub fn crc64nvme(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// CRC32C (Castagnoli) of `bytes`.
pub fn crc32c(bytes: &[u8]) -> u32 {
    narrow(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

fn crc32_value(state: &crc_fast::Digest) -> u32 {
    narrow(state.finalize())
}

/// CRC of 32 bits from the 64 bits that crc-fast gives.
fn narrow(crc: u64) -> u32 {
    u32::try_from(crc).expect("a CRC of 32 bits fits in them")
}
