//! Damage: every change of a file is detected, and no wrong byte is served.

use std::os::unix::fs::FileExt;

use super::*;

/// Error of reading a whole damaged blob, if there is one. Asserts that every byte before the error
/// is right, and that the error names the blob.
fn read_damaged(rig: &Rig, name: BlobName, bytes: &[u8]) -> Option<String> {
    let mut file = match rig.blobs.open_blob(name, bytes.len() as u64, Wait::Disk) {
        Ok(file) => file,
        Err(error) => return Some(message(error, name)),
    };
    let mut failure = None;
    // One block at a time, so that the blocks beside a damaged one are looked at too.
    for (first, block) in (0..).step_by(65_536).zip(bytes.chunks(65_536)) {
        match file.read(ByteRange { first, last: first + block.len() as u64 - 1 }, Wait::Disk) {
            Ok(read) => assert!(read == block, "a wrong byte was served"),
            Err(error) => failure = Some(message(error, name)),
        }
    }
    failure
}

fn message(error: Error, name: BlobName) -> String {
    let Error::Damaged { what } = error else { panic!("{error} is not damage") };
    assert!(what.contains(&name.to_string()), "{what} does not name the blob");
    what
}

/// Asserts that what `change` does to the file is noticed, and undoes it.
fn notices(rig: &Rig, name: BlobName, bytes: &[u8], change: impl FnOnce(&mut Vec<u8>)) -> String {
    let path = rig.file(name);
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    change(&mut bad);
    assert!(bad != good, "nothing was changed");
    std::fs::write(&path, bad).unwrap();
    let noticed = read_damaged(rig, name, bytes);
    assert!(rig.blobs.verify(name, bytes.len() as u64, || Ok(())).is_err(), "verify must agree");
    std::fs::write(&path, good).unwrap();
    assert_eq!(read_damaged(rig, name, bytes), None, "the undamaged file must read");
    noticed.expect("the damage went unnoticed")
}

#[test]
fn every_flipped_bit_of_a_small_blob_is_noticed() {
    let rig = Rig::new();
    for (size, part) in [(0, false), (77, true)] {
        let bytes = pattern(size);
        let name = rig.store(&bytes, part);
        let path = rig.file(name);
        let good = std::fs::read(&path).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for at in 0..good.len() {
            for bit in 0..8 {
                file.write_all_at(&[good[at] ^ (1 << bit)], at as u64).unwrap();
                let what = read_damaged(&rig, name, &bytes);
                assert!(what.is_some(), "bit {bit} of byte {at} of {}", good.len());
                // Without a row the data is not looked at, but the index still is.
                let index = at as u64 >= trailer::index_offset(size as u64);
                assert_eq!(rig.blobs.record(name).is_err(), index, "bit {bit} of byte {at}");
            }
            file.write_all_at(&[good[at]], at as u64).unwrap();
        }
        assert_eq!(read_damaged(&rig, name, &bytes), None);
    }
}

#[test]
fn damage_to_each_region_is_noticed_and_named() {
    let rig = Rig::new();
    for size in [150_000, 65_536 * 5 + 17] {
        let bytes = pattern(size);
        let name = rig.store(&bytes, true);
        for at in [0, 65_535, 65_536, 131_071, 131_072, size - 1] {
            let what = notices(&rig, name, &bytes, |file| file[at] ^= 0x10);
            assert!(what.contains(&format!("block {} ", at / 65_536)), "{what}");
        }
        let index = trailer::index_offset(size as u64) as usize;
        for at in size..index {
            let what = notices(&rig, name, &bytes, |file| file[at] ^= 1);
            assert!(what.contains("page 0"), "{what}");
        }
        let end = trailer::file_bytes(size as u64, &origin(true).key) as usize;
        for at in index..end {
            let what = notices(&rig, name, &bytes, |file| file[at] ^= 0x80);
            assert!(what.contains("index"), "{what}");
        }
        for length in [0, 1, size - 1, size, size + 1, index - 1, index, index + 100, end - 1] {
            notices(&rig, name, &bytes, |file| file.truncate(length));
        }
        for more in [1, 8, 4096, 300_000] {
            notices(&rig, name, &bytes, |file| file.resize(end + more, 0));
        }
        notices(&rig, name, &bytes, |file| {
            file.remove(5);
        });
        notices(&rig, name, &bytes, |file| file.copy_within(0..65_536, 65_536));
        notices(&rig, name, &bytes, |file| file[65_536..131_072].fill(0));
        // A trailer that was written twice, over the length that it tells.
        notices(&rig, name, &bytes, |file| file.extend_from_within(index..));
    }
}

/// The pages of a blob that has two. Slow to make, so a test of the parent module shares its blob.
pub(super) fn in_a_large_blob(rig: &Rig, name: BlobName, size: usize) {
    let path = rig.file(name);
    let file = std::fs::OpenOptions::new().write(true).read(true).open(path).unwrap();
    let fails = |block: u64| {
        let mut blob = rig.blobs.open_blob(name, size as u64, Wait::Disk).unwrap();
        blob.read(ByteRange { first: block * 65_536, last: block * 65_536 }, Wait::Disk).is_err()
    };
    // Each of: a byte, the blocks that must fail, and blocks that must not.
    let second_page = size as u64 + 4096;
    let cases = [
        (1023 * 65_536 + 9, [1023, 1023], [1022, 1024]),
        (size as u64, [0, 1022], [1023, 1024]),
        (size as u64 + 4095, [0, 1022], [1023, 1024]),
        (second_page, [1023, 1024], [0, 1022]),
        (second_page + 11, [1023, 1024], [0, 1022]),
    ];
    for (at, bad, good) in cases {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 4], at).unwrap();
        assert!(bad.into_iter().all(fails), "byte {at}");
        assert!(!good.into_iter().any(fails), "byte {at}");
        file.write_all_at(&byte, at).unwrap();
    }
    let mut index = vec![0; trailer::file_bytes(0, &origin(true).key) as usize];
    let start = trailer::index_offset(size as u64);
    file.read_exact_at(&mut index, start).unwrap();
    index[70] ^= 1;
    file.write_all_at(&index, start).unwrap();
    assert!(rig.blobs.open_blob(name, size as u64, Wait::Disk).is_err());
}

#[test]
fn a_page_does_not_verify_for_another_blob_or_place() {
    let bytes = pattern(1024 * 4);
    let (one, other) = (BlobId::new(), BlobId::new());
    let record = |id| BlobRecord {
        name: BlobName { run: 1, id },
        origin: origin(false),
        digests: digests(1024 * 65_536, false),
    };
    let (sums, rest) = bytes.as_chunks::<4>();
    assert!(rest.is_empty());
    let sums: Vec<u32> = sums.iter().map(|sum| u32::from_le_bytes(*sum)).collect();
    let mut trailer = Vec::new();
    trailer::append(&mut trailer, &record(one), &sums);
    assert_eq!(trailer::parse_page(one, 0, &trailer[..4096]).unwrap(), sums[..1023]);
    assert_eq!(trailer::parse_page(one, 1, &trailer[4096..4104]).unwrap(), sums[1023..]);
    assert_eq!(trailer::parse_page(other, 0, &trailer[..4096]), None);
    assert_eq!(trailer::parse_page(one, 1, &trailer[..4096]), None);
    assert_eq!(trailer::parse_page(one, 0, &trailer[4096..4104]), None);
}

#[test]
fn a_file_that_is_missing_or_is_another_blob_is_damage() {
    let rig = Rig::new();
    let bytes = pattern(100);
    let (one, other) = (rig.store(&bytes, false), rig.store(&bytes, false));
    std::fs::copy(rig.file(one), rig.file(other)).unwrap();
    assert!(read_damaged(&rig, other, &bytes).unwrap().contains(&one.to_string()));
    assert!(matches!(rig.blobs.record(other), Err(Error::Damaged { .. })));
    // The row tells another length.
    for length in [0, 99, 101, 65_536, 1 << 30, u64::MAX] {
        let error = rig.blobs.open_blob(one, length, Wait::Disk).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
    }
    std::fs::remove_file(rig.file(other)).unwrap();
    assert!(read_damaged(&rig, other, &bytes).unwrap().contains("no such file"));
    std::os::unix::fs::symlink(rig.file(one), rig.file(other)).unwrap();
    assert!(read_damaged(&rig, other, &bytes).unwrap().contains("symbolic link"));
}
