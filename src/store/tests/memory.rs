//! Reads from the page cache that continue from the disk: any mixture gives the same bytes, and
//! neither serves damage.

use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::{Advice, fadvise};

use super::*;
use crate::types::ByteRange;

/// All files of blobs.
fn files(fixture: &Fixture) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(fixture.options.data.join("blobs")).expect("the blobs");
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.expect("a folder").path()));
    files.flatten().map(|file| file.expect("a file").path()).collect()
}

/// Has the page cache drop a file.
fn forget(path: &PathBuf) {
    let file = std::fs::File::open(path).expect("it opens");
    fadvise(&file, 0, None, Advice::DontNeed).expect("the page cache takes advice");
}

#[test]
fn steps_in_memory_and_from_the_disk_mix() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let sizes = [0, 500, 1001, 65_536, 200_000, 262_144, 262_145, 900_001];
    let bodies: Vec<Vec<u8>> =
        (0..300).map(|i| body(i, if i % 40 < 8 { sizes[i as usize % 40] } else { 100 })).collect();
    for (i, part) in bodies.iter().enumerate() {
        fixture.put_part(&rights, "key", upload, i as u16 + 1, part).expect("a part");
    }
    let listed: Vec<(u16, &[u8])> = (1..).zip(bodies.iter().map(Vec::as_slice)).collect();
    fixture.complete(&rights, "key", upload, &listed).expect("complete");
    let whole = bodies.concat();
    let object = fixture.open(&rights, "key").expect("open");
    let files = files(&fixture);
    let mut random = Random(7);
    let (mut hits, mut misses) = (0, 0);
    for round in 0..60 {
        let (a, b) = (random.below(whole.len()), random.below(whole.len()));
        let range = ByteRange { first: a.min(b) as u64, last: a.max(b) as u64 };
        let mut reader = object.reader(Some(range)).expect("a reader");
        let mut got = Vec::new();
        loop {
            if random.below(4) == 0 {
                forget(random.pick(&files));
            }
            reader.limit_unit((1 + random.below(4)) << 16);
            let unit = match reader.next_in_memory() {
                Some(unit) => {
                    hits += 1;
                    unit
                }
                None => {
                    misses += 1;
                    reader.next().expect("nothing is damaged")
                }
            };
            let Some(unit) = unit else { break };
            assert!(!unit.is_empty());
            got.extend_from_slice(&unit);
        }
        assert!(got == whole[a.min(b)..=a.max(b)], "round {round}: {range:?}");
    }
    assert!(hits > 100 && misses > 10, "{hits} {misses}");
}

#[test]
fn damage_is_not_served_from_memory() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    for length in [70_000, 262_144, 700_000] {
        let sent = body(1, length);
        fixture.put(&rights, &length.to_string(), &sent).expect("put");
    }
    for path in files(&fixture) {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(&path).expect("opens");
        let mut byte = [0];
        file.read_exact_at(&mut byte, 66_000).expect("a byte");
        file.write_all_at(&[byte[0] ^ 1], 66_000).expect("a byte");
    }
    for length in [70_000_usize, 262_144, 700_000] {
        let sent = body(1, length);
        let object = fixture.open(&rights, &length.to_string()).expect("open");
        let mut reader = object.reader(None).expect("a reader");
        reader.limit_unit(64 << 10);
        assert_eq!(reader.next_in_memory().expect("cached").expect("bytes"), sent[..65_536]);
        assert!(reader.next_in_memory().is_none());
        assert!(reader.next_in_memory().is_none());
        assert!(matches!(reader.next(), Err(Error::Damaged { .. })));
    }
}
