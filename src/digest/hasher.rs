//! The one pass over a body: everything that is to be known of its bytes is computed here.
//!
//! **Invariant:** no digest is computed twice. MD5 and CRC64NVME always run; a client's algorithm
//! that repeats them, or SHA-256, takes its value from there.

use crc_fast::CrcAlgorithm;
use sha2::Digest as _;
use xxhash_rust::xxh3::Xxh3Default;
use xxhash_rust::xxh64::Xxh64;

use super::{Checksum, ChecksumAlgorithm, Digests};

/// XXHASH as S3 uses it has no seed.
const XXHASH_SEED: u64 = 0;
/// Bytes given to one digest after the other: they stay in the nearest cache meanwhile.
const BLOCK_BYTES: usize = 16 << 10;

/// What to compute besides MD5 and CRC64NVME.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Want {
    /// SHA-256, because the signature covers it.
    pub sha256: bool,
    /// The client's algorithm.
    pub checksum: Option<ChecksumAlgorithm>,
}

/// Takes a body piece by piece and gives its [`Digests`].
pub struct Hasher {
    md5: md5::Md5,
    others: Others,
}

/// As [`Hasher`], without MD5: for bodies whose MD5 is computed in a lane beside others (see
/// [`super::lanes`]).
pub struct Others {
    length: u64,
    crc64nvme: crc_fast::Digest,
    sha256: Option<sha2::Sha256>,
    checksum: Option<ChecksumAlgorithm>,
    extra: Extra,
}

/// The algorithms that only run when a client names them.
enum Extra {
    None,
    Crc32(crc_fast::Digest),
    Sha1(sha1::Sha1),
    Sha512(sha2::Sha512),
    Xxhash64(Xxh64),
    /// XXHASH3 and XXHASH128: one state, two ways to finish.
    Xxhash3(Box<Xxh3Default>),
}

impl Extra {
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

    /// The raw value; `None` when the algorithm is one of those that run anyway.
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
    /// Nothing hashed yet.
    pub fn new(want: Want) -> Self {
        Self { md5: md5::Md5::new(), others: Others::new(want) }
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for block in bytes.chunks(BLOCK_BYTES) {
            self.md5.update(block);
            self.others.update(block);
        }
    }

    /// The digests of all bytes given.
    pub fn finish(self) -> Digests {
        self.others.finish(self.md5.finalize().into())
    }
}

impl Others {
    /// Nothing hashed yet.
    pub fn new(want: Want) -> Self {
        let sha256 = want.sha256 || want.checksum == Some(ChecksumAlgorithm::Sha256);
        Self {
            length: 0,
            crc64nvme: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            sha256: sha256.then(sha2::Sha256::new),
            checksum: want.checksum,
            extra: Extra::new(want.checksum),
        }
    }

    /// The next bytes.
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

    /// The digests of all bytes given, `md5` among them.
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

/// The CRC32C (Castagnoli) of some bytes.
pub fn crc32c(bytes: &[u8]) -> u32 {
    narrow(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

fn crc32_value(state: &crc_fast::Digest) -> u32 {
    narrow(state.finalize())
}

/// The value of a CRC of 32 bits, which crc-fast gives as 64.
fn narrow(crc: u64) -> u32 {
    u32::try_from(crc).expect("a CRC of 32 bits fits in them")
}
