//! Blobs on a real disk: round trips, ranges against a model, every kind of damage, the life of
//! files, the order and the failure of syncs.

mod damage;
mod lifecycle;
mod packed;

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use proptest::prelude::*;
use rustix::fs;
use rustix::io::Errno;
use tempfile::TempDir;

use super::files::Blobs;
use super::folders::Syncs;
use super::location::{Extent, Location, PACKED_BYTES_MAX};
use super::name::{BlobName, FolderEntry, SegmentName};
use super::origin::{BlobOrigin, BlobRecord};
use super::packer::{Packing, packer};
use super::reader::{BlobFile, Wait};
use super::staged::{Home, StagedBlob};
use super::trailer;
use super::writer::BlobWriter;
use crate::digest::{Checksum, ChecksumAlgorithm, Digests};
use crate::store::error::{Error, Result};
use crate::store::sources::Sources;
use crate::types::{BlobId, ByteRange, ObjectKey, PUT_BYTES_MAX, PartNumber, UploadId};

/// Each goes from thread to thread, in handlers and in the writer's queue.
const _: () = {
    const fn sent<T: Send>() {}
    const fn shared<T: Send + Sync>() {}
    sent::<BlobWriter>();
    sent::<BlobFile>();
    sent::<StagedBlob>();
    shared::<Blobs>();
};

/// A data folder that goes with its blobs.
struct Rig {
    blobs: Arc<Blobs>,
    dir: TempDir,
}

impl Rig {
    fn new() -> Self {
        Self::with(Syncs::default())
    }

    fn with(syncs: Syncs) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { blobs: Blobs::open_with(dir.path(), 3, syncs, Sources::default()).unwrap(), dir }
    }

    /// Writes a blob in pieces of uneven size and keeps it.
    fn store(&self, bytes: &[u8], part: bool) -> BlobName {
        let mut writer = self.blobs.create(origin(part), Some(bytes.len() as u64)).unwrap();
        let mut rest = bytes;
        for size in [1, 65_535, 10_000, 200_000, 65_536, 3].into_iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(size));
            writer.write(now).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        assert_eq!(writer.length(), bytes.len() as u64);
        let staged = writer.finish(digests(bytes.len() as u64, part)).unwrap();
        let Home::Disk(Location { name, extent: None }) = staged.home() else {
            panic!("it is in a file of its own")
        };
        assert_eq!(name.id, staged.id());
        staged.keep();
        name
    }

    /// Where the file of a blob is.
    fn file(&self, name: BlobName) -> PathBuf {
        self.dir.path().join("blobs").join(format!("{:02x}", name.folder())).join(name.to_string())
    }

    /// The names of all files below `blobs/`.
    fn found(&self) -> Vec<FolderEntry> {
        let mut found = Vec::new();
        self.blobs
            .scan(|one| {
                found.push(one);
                Ok(())
            })
            .unwrap();
        found
    }
}

fn origin(part: bool) -> BlobOrigin {
    let upload = UploadId::from_bytes(*b"sixteen bytes id");
    let key = ObjectKey::parse("ключ/a key".as_bytes()).unwrap();
    BlobOrigin { bucket: -5, key, part: part.then(|| (upload, PartNumber::new(10_000).unwrap())) }
}

fn digests(length: u64, rich: bool) -> Digests {
    let checksum = Checksum { algorithm: ChecksumAlgorithm::Sha512, value: vec![0xab; 64] };
    Digests {
        length,
        md5: [0x5a; 16],
        crc64nvme: 0x0123_4567_89ab_cdef,
        sha256: rich.then_some([0xc3; 32]),
        checksum: rich.then_some(checksum),
    }
}

/// Bytes of which no two blocks are alike.
fn pattern(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// All bytes, read in units of 1 MiB.
fn read_all(file: &mut BlobFile) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < file.length() {
        let first = bytes.len() as u64;
        let last = (first + (1 << 20)).min(file.length()) - 1;
        bytes.extend_from_slice(&file.read(ByteRange { first, last }, Wait::Disk)?);
    }
    Ok(bytes)
}

#[test]
fn bytes_and_record_come_back_at_every_size_of_interest() {
    let rig = Rig::new();
    let mib = 1 << 20;
    let limit = 256 << 10;
    let sizes = [0, 1, 65_535, 65_536, 65_537, limit - 1, limit, limit + 1, mib - 1, mib, mib + 1];
    for size in sizes {
        for part in [false, true] {
            let bytes = pattern(size);
            let name = rig.store(&bytes, part);
            let expected =
                BlobRecord { name, origin: origin(part), digests: digests(size as u64, part) };
            let mut file = rig.blobs.open_blob(name, size as u64, Wait::Disk).unwrap();
            assert_eq!(file.record(), &expected);
            assert!(read_all(&mut file).unwrap() == bytes, "{size} bytes differ");
            assert_eq!(rig.blobs.verify(name, size as u64, || Ok(())).unwrap(), expected);
            assert_eq!(rig.blobs.record(name).unwrap(), expected);
            // The plain bytes are the file's beginning, for whoever has to rescue them by hand.
            let stored = std::fs::read(rig.file(name)).unwrap();
            assert!(stored[..size] == bytes);
            assert_eq!(stored.len() as u64, trailer::file_bytes(size as u64, &origin(part).key));
        }
    }
}

#[test]
fn the_trailer_is_what_its_page_says_byte_by_byte() {
    let rig = Rig::new();
    let name = rig.store(b"123456789", true);
    let stored = std::fs::read(rig.file(name)).unwrap();
    // The check value of CRC-32C in the catalogue of parametrised CRC algorithms.
    assert_eq!(stored[9..13], 0xe306_9283_u32.to_le_bytes());
    let index = &stored[9 + 4 + 4..];
    let key = "ключ/a key".as_bytes();
    let mut expected = b"PARTITAb\x01\x00\x10\x27\x00\x00\x01\x00".to_vec();
    expected.extend(name.id.as_bytes());
    expected.extend(3_u64.to_le_bytes());
    expected.extend((-5_i64).to_le_bytes());
    expected.extend(b"sixteen bytes id");
    expected.extend(9_u64.to_le_bytes());
    expected.extend([0x5a; 16]);
    expected.extend(0x0123_4567_89ab_cdef_u64.to_le_bytes());
    expected.extend([0xc3; 32]);
    expected.extend([1, ChecksumAlgorithm::Sha512 as u8, 64, 0]);
    expected.extend([0xab; 64]);
    expected.extend((key.len() as u16).to_le_bytes());
    expected.extend(key);
    expected.extend((198 + key.len() as u32).to_le_bytes());
    assert_eq!(index[..expected.len()], expected);
    assert_eq!(index[expected.len() + 4..], *b"bEND\r\n\x1a\n");
}

#[test]
fn a_blob_of_more_than_one_checksum_page() {
    let rig = Rig::new();
    let size = 1023 * 65_536 + 65_536 + 5;
    let bytes = pattern(size);
    let name = rig.store(&bytes, true);
    let mut file = rig.blobs.open_blob(name, size as u64, Wait::Disk).unwrap();
    assert!(read_all(&mut file).unwrap() == bytes);
    // Across the border of the pages, backwards, and the very last byte.
    let border = 1023 * 65_536;
    for (first, last) in [(border - 1, border), (0, 0), (size - 1, size - 1), (border, size - 1)] {
        let range = ByteRange { first: first as u64, last: last as u64 };
        assert!(file.read(range, Wait::Disk).unwrap() == bytes[first..=last], "{range:?}");
    }
    assert_eq!(rig.blobs.record(name).unwrap(), *file.record());
    damage::in_a_large_blob(&rig, name, size);
}

#[test]
fn any_range_is_the_models() {
    let rig = Rig::new();
    let stored: Vec<(Bytes, BlobName)> = [1, 200_000, 65_536 * 5 + 17]
        .into_iter()
        .map(|size| (Bytes::from(pattern(size)), rig.store(&pattern(size), false)))
        .collect();
    let mut files: Vec<BlobFile> = stored
        .iter()
        .map(|(bytes, name)| rig.blobs.open_blob(*name, bytes.len() as u64, Wait::Disk).unwrap())
        .collect();
    let mut runner = proptest::test_runner::TestRunner::default();
    let near = prop_oneof![any::<prop::sample::Index>().prop_map(Ok), (0..12_u64).prop_map(Err)];
    let strategy = (0..stored.len(), near.clone(), near);
    // Positions are anywhere, or next to the border of a block.
    let place = |at: std::result::Result<prop::sample::Index, u64>, size: usize| match at {
        Ok(index) => index.index(size) as u64,
        Err(n) => ((n / 3) * 65_536 + n % 3).saturating_sub(1).min(size as u64 - 1),
    };
    let files = std::cell::RefCell::new(&mut files);
    runner
        .run(&strategy, |(which, a, b)| {
            let bytes = &stored[which].0;
            let (a, b) = (place(a, bytes.len()), place(b, bytes.len()));
            let range = ByteRange { first: a.min(b), last: a.max(b) };
            let read = files.borrow_mut()[which].read(range, Wait::Disk).unwrap();
            prop_assert!(read == bytes[range.first as usize..=range.last as usize]);
            Ok(())
        })
        .unwrap();
}

#[test]
fn names_round_trip_and_have_one_spelling() {
    let id = BlobId::new();
    for run in [0, 1, 0xffff_ffff, 0x1_0000_0000, u64::MAX] {
        let name = BlobName { run, id };
        assert_eq!(BlobName::parse(&name.to_string()), Some(name));
    }
    let text = "0000000a-00112233445566778899aabbccddeeff";
    assert_eq!(BlobName::parse(text).unwrap().to_string(), text);
    assert_eq!(BlobName::parse(text).unwrap().folder(), 0xff);
    for foreign in [
        "",
        "-",
        "0000000A-00112233445566778899aabbccddeeff",
        "0000000a-00112233445566778899AABBCCDDEEFF",
        "00000000a-00112233445566778899aabbccddeeff",
        "a-00112233445566778899aabbccddeeff",
        "+000000a-00112233445566778899aabbccddeeff",
        "0000000a-00112233445566778899aabbccddee",
        "0000000a-00112233445566778899aabbccddeeff0",
        "0000000a-00112233445566778899aabbccddeeff.tmp",
        "10000000000000000-00112233445566778899aabbccddeeff",
    ] {
        assert_eq!(BlobName::parse(foreign), None, "{foreign:?}");
    }
}
