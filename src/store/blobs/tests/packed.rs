//! Packed blobs: extents, shared syncs, damage, holes.

mod faults;

use std::collections::BTreeMap;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

use super::*;
use crate::store::blobs::{location::PAGE_BYTES, name::SEGMENT_PAGES};

/// A rig with the thread that packs.
struct Packed {
    rig: Rig,
    packing: Packing,
    thread: Option<JoinHandle<()>>,
}

impl Packed {
    fn new() -> Self {
        Self::with(Syncs::default())
    }

    fn with(syncs: Syncs) -> Self {
        let rig = Rig::with(syncs);
        let (packing, packer) = packer(&rig.blobs);
        let thread = Some(std::thread::spawn(move || packer.run()));
        Self { rig, packing, thread }
    }

    fn pack(&self, bytes: &[u8], part: bool) -> Result<StagedBlob> {
        let digests = digests(bytes.len() as u64, part);
        self.packing.pack(origin(part), Bytes::copy_from_slice(bytes), digests).wait()
    }

    /// Packs and keeps; gives where it is.
    fn store(&self, bytes: &[u8], part: bool) -> Location {
        let staged = self.pack(bytes, part).unwrap();
        let at = location(&staged);
        assert_eq!(at.name.id, staged.id());
        staged.keep();
        at
    }

    fn read(&self, at: Location, length: usize) -> Result<Vec<u8>> {
        read_all(&mut self.rig.blobs.open_blob(at, length as u64, Wait::Disk)?)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.rig.dir.path().join("segments").join(format!("00000003-{number:08x}"))
    }

    /// Until the first batch is taken and waits for its sync: what comes now is in another one.
    fn wait_until_written(&self) {
        while std::fs::metadata(self.path(0)).map_or(0, |file| file.len()) == 0 {
            std::thread::yield_now();
        }
    }

    fn write_at(&self, at: Location, byte: u64, value: &[u8]) {
        let extent = at.extent.unwrap();
        let file =
            std::fs::OpenOptions::new().write(true).open(self.path(extent.segment(3).number));
        file.unwrap().write_all_at(value, extent.offset() + byte).unwrap();
    }
}

impl Drop for Packed {
    fn drop(&mut self) {
        self.packing.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

fn location(staged: &StagedBlob) -> Location {
    let Home::Disk(at @ Location { extent: Some(_), .. }) = staged.home() else {
        panic!("it is in a segment")
    };
    at
}

/// Bytes of a file that are not holes.
fn stored_bytes(path: &Path) -> u64 {
    crate::store::tests::stored_bytes(path)
}

#[test]
fn bytes_and_record_come_back_at_every_size_of_interest() {
    let packed = Packed::new();
    let limit = PACKED_BYTES_MAX as usize;
    let mut stored = Vec::new();
    for size in [0, 1, 4_000, 4_096, 65_535, 65_536, 65_537, 131_072, limit - 1, limit] {
        for part in [false, true] {
            let bytes = pattern(size);
            stored.push((packed.store(&bytes, part), bytes, part));
        }
    }
    for (at, bytes, part) in &stored {
        let length = bytes.len() as u64;
        let mut file = packed.rig.blobs.open_blob(*at, length, Wait::Disk).unwrap();
        assert!(read_all(&mut file).unwrap() == *bytes);
        assert_eq!(file.record().origin, origin(*part));
        assert_eq!(file.record().digests, digests(length, *part));
        assert_eq!(packed.rig.blobs.verify(*at, length, || Ok(())).unwrap().name, at.name);
        for (first, last) in [(0, 0), (length / 2, length.saturating_sub(1)), (65_535, 65_536)] {
            if last < length {
                let range = ByteRange { first, last };
                let read = file.read(range, Wait::Disk).unwrap();
                assert!(read == bytes[first as usize..=last as usize], "{range:?} of {length}");
            }
        }
    }
    assert_eq!(packed.rig.found(), [FolderEntry::Segment(SegmentName { run: 3, number: 0 })]);
}

#[test]
fn extents_of_a_crowd_do_not_overlap_and_syncs_are_shared() {
    const THREADS: usize = 32;
    const BODIES: usize = 20;
    let syncs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&syncs);
    let packed = Packed::with(Syncs {
        file: Box::new(move |fd| {
            counted.fetch_add(1, SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            Ok(fs::fdatasync(fd)?)
        }),
        ..Syncs::default()
    });
    let all = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (packed, all) = (&packed, &all);
            scope.spawn(move || {
                for n in 0..BODIES {
                    let bytes = vec![(thread * BODIES + n) as u8; 1 + 997 * (thread + n)];
                    let at = packed.store(&bytes, n % 2 == 0);
                    all.lock().unwrap().insert(at.extent.unwrap().first_page, (at, bytes));
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert_eq!(all.len(), THREADS * BODIES);
    let mut end = 0;
    for (first_page, (at, bytes)) in all {
        // Nothing is left out between them either.
        assert_eq!(first_page, end);
        end += at.extent.unwrap().pages;
        assert!(packed.read(at, bytes.len()).unwrap() == bytes);
    }
    let (syncs, bodies) = (syncs.load(SeqCst), (THREADS * BODIES) as u64);
    assert!(syncs < bodies / 4, "{syncs} syncs for {bodies} bodies");
}

#[test]
fn an_answer_follows_the_sync_of_its_bytes_and_of_the_folder() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let (files, folders) = (Arc::clone(&events), Arc::clone(&events));
    let packed = Packed::with(Syncs {
        file: Box::new(move |fd| {
            let bytes = fs::fstat(fd)?.st_size;
            files.lock().unwrap().push(("file", bytes));
            Ok(())
        }),
        folder: Box::new(move |_| {
            folders.lock().unwrap().push(("folder", 0));
            Ok(())
        }),
        ..Syncs::default()
    });
    for (n, size) in [(1, 100), (2, 5000)] {
        packed.store(&pattern(size), false);
        events.lock().unwrap().push(("answer", n));
    }
    let wanted = [("folder", 0), ("file", 4096), ("answer", 1), ("file", 3 * 4096), ("answer", 2)];
    assert_eq!(*events.lock().unwrap(), wanted);
}

#[test]
fn a_full_segment_is_followed_by_the_next() {
    let packed = Packed::new();
    let bytes = pattern(PACKED_BYTES_MAX as usize);
    let pages = packed.store(&bytes, false).extent.unwrap().pages;
    let mut last = None;
    for n in 1..=SEGMENT_PAGES / pages {
        let at = packed.store(&bytes, false);
        assert_eq!(
            at.extent.unwrap().segment(3).number,
            u64::from(n == SEGMENT_PAGES / pages),
            "{n}"
        );
        last = Some(at);
    }
    let at = last.unwrap();
    assert_eq!(at.extent.unwrap().first_page, SEGMENT_PAGES);
    assert!(packed.read(at, bytes.len()).unwrap() == bytes);
    assert!(std::fs::metadata(packed.path(0)).unwrap().len() <= SEGMENT_PAGES * PAGE_BYTES);

    // Room is given back in the second one, and not at the same place of the first.
    let removed = packed.store(&bytes, false);
    let lost = packed.store(&bytes, false);
    let before = stored_bytes(&packed.path(0));
    packed.rig.blobs.remove(removed).unwrap();
    let later = Blobs::open(packed.rig.dir.path(), 4, Sources::default()).unwrap();
    let (second, lost) = (SegmentName { run: 3, number: 1 }, lost.extent.unwrap());
    let gap = lost.first_page..second.pages().end;
    assert_eq!(later.punch_gap(second, gap).unwrap(), pages * PAGE_BYTES);
    assert_eq!(stored_bytes(&packed.path(0)), before);
    assert_eq!(stored_bytes(&packed.path(1)), pages * PAGE_BYTES);
    assert!(packed.read(at, bytes.len()).unwrap() == bytes);
}

#[test]
fn what_is_refused_or_removed_gives_its_room_back_and_nothing_else() {
    let packed = Packed::new();
    let bytes = pattern(70_000);
    let before = packed.store(&bytes, false);
    let refused = packed.pack(&bytes, false).unwrap();
    let removed = packed.store(&bytes, false);
    let after = packed.store(&bytes, false);
    let one = before.extent.unwrap().pages * PAGE_BYTES;
    assert_eq!(stored_bytes(&packed.path(0)), 4 * one);
    let refused_at = location(&refused);
    drop(refused);
    assert_eq!(stored_bytes(&packed.path(0)), 3 * one);
    packed.rig.blobs.remove(removed).unwrap();
    packed.rig.blobs.remove(removed).unwrap();
    assert_eq!(stored_bytes(&packed.path(0)), 2 * one);
    for gone in [refused_at, removed] {
        assert!(matches!(packed.read(gone, bytes.len()), Err(Error::Damaged { .. })));
    }
    for there in [before, after] {
        assert!(packed.read(there, bytes.len()).unwrap() == bytes);
    }
    // Room is never given out twice.
    let next = packed.store(&bytes, false).extent.unwrap();
    assert_eq!(next.first_page, after.extent.unwrap().first_page + next.pages);
}

#[test]
fn a_segment_is_in_use_from_before_its_file_is_there_until_nothing_in_it_waits_for_a_row() {
    let (first, second) = ([0, 1]).map(|number| SegmentName { run: 3, number }).into();
    let blobs = Arc::new(OnceLock::<Arc<Blobs>>::new());
    let (seen, looks) = (Arc::new(AtomicU64::new(0)), Arc::clone(&blobs));
    let noted = Arc::clone(&seen);
    let packed = Packed::with(Syncs {
        // Called when the file is there, and nothing has been written to it.
        folder: Box::new(move |_| {
            let number = noted.fetch_add(1, SeqCst);
            assert!(looks.wait().is_segment_in_use(SegmentName { run: 3, number }));
            Ok(())
        }),
        file: Box::new(|_| Ok(())),
        ..Syncs::default()
    });
    blobs.set(Arc::clone(&packed.rig.blobs)).unwrap();
    let waiting = packed.pack(&pattern(PACKED_BYTES_MAX as usize), false).unwrap();
    let pages = location(&waiting).extent.unwrap().pages;
    for _ in 0..SEGMENT_PAGES / pages {
        packed.store(&pattern(PACKED_BYTES_MAX as usize), false);
    }
    assert_eq!(seen.load(SeqCst), 2);
    assert!(packed.rig.blobs.is_segment_in_use(first), "a body in it may get its row");
    waiting.keep();
    assert!(!packed.rig.blobs.is_segment_in_use(first));
    assert!(packed.rig.blobs.is_segment_in_use(second), "the next body goes there");
    assert!(!packed.rig.blobs.is_segment_in_use(SegmentName { run: 2, number: 7 }));
}

#[test]
fn what_comes_after_the_end_is_told_so() {
    let packed = Packed::new();
    packed.packing.stop();
    while !packed.thread.as_ref().unwrap().is_finished() {
        std::thread::yield_now();
    }
    assert!(matches!(packed.pack(b"late", false), Err(Error::Closed)));
}

#[test]
fn every_flipped_bit_is_noticed() {
    let packed = Packed::new();
    let bytes = pattern(77);
    let _before = packed.store(&bytes, false);
    let at = packed.store(&bytes, true);
    let _after = packed.store(&bytes, false);
    let good = std::fs::read(packed.path(0)).unwrap();
    let start = at.extent.unwrap().offset() as usize;
    let used = trailer::file_bytes(77, &origin(true).key) as usize;
    for byte in 0..used {
        for bit in 0..8 {
            packed.write_at(at, byte as u64, &[good[start + byte] ^ (1 << bit)]);
            let error = packed.read(at, 77).expect_err("damage");
            let Error::Damaged { what } = error else { panic!("{error} is not damage") };
            assert!(what.contains(&at.name.to_string()), "{what}");
        }
        packed.write_at(at, byte as u64, &[good[start + byte]]);
    }
    assert!(packed.read(at, 77).unwrap() == bytes);
}

#[test]
fn a_row_that_tells_another_place_or_length_is_noticed() {
    let packed = Packed::new();
    let bytes = pattern(20_000);
    let (at, other) = (packed.store(&bytes, false), packed.store(&bytes, false));
    let extent = at.extent.unwrap();
    let moved = |first_page, pages| Location { extent: Some(Extent { first_page, pages }), ..at };
    let wrong = [
        other,
        moved(extent.first_page + 1, extent.pages),
        moved(extent.first_page, extent.pages + 1),
        moved(extent.first_page, extent.pages - 1),
        moved(extent.first_page, 0),
        moved(extent.first_page, u64::MAX),
        moved(u64::MAX, 1),
        moved(SEGMENT_PAGES, extent.pages),
        Location { extent: None, ..at },
    ];
    for wrong in wrong.map(|wrong| Location { name: at.name, ..wrong }) {
        assert!(matches!(packed.read(wrong, 20_000), Err(Error::Damaged { .. })), "{wrong:?}");
    }
    for length in [0, 19_999, 20_001, 1 << 20, u64::MAX] {
        let opened = packed.rig.blobs.open_blob(at, length, Wait::Disk);
        assert!(matches!(opened, Err(Error::Damaged { .. })), "{length}");
    }
    assert!(packed.read(at, 20_000).unwrap() == bytes);
}

#[test]
fn gaps_are_given_back_and_extents_stay() {
    let packed = Packed::new();
    let bytes = pattern(30_000);
    let all: Vec<Location> = (0..10).map(|_| packed.store(&bytes, false)).collect();
    let one = all[0].extent.unwrap().pages;
    packed.rig.blobs.remove(all[3]).unwrap();
    // As the next run sees it.
    let later = Blobs::open(packed.rig.dir.path(), 4, Sources::default()).unwrap();
    let name = SegmentName { run: 3, number: 0 };
    assert_eq!(later.punch_gap(name, one..6 * one).unwrap(), 4 * one * PAGE_BYTES);
    assert_eq!(later.punch_gap(name, one..6 * one).unwrap(), 0);
    assert_eq!(later.punch_gap(name, 9 * one..SEGMENT_PAGES).unwrap(), one * PAGE_BYTES);
    assert_eq!(stored_bytes(&packed.path(0)), 4 * one * PAGE_BYTES);
    for (n, at) in all.into_iter().enumerate() {
        let is_there = n == 0 || (6..9).contains(&n);
        assert_eq!(packed.read(at, bytes.len()).is_ok_and(|read| read == bytes), is_there, "{n}");
    }
}

#[test]
fn a_segment_waits_in_quarantine() {
    let packed = Packed::new();
    packed.store(b"bytes", false);
    let later = Blobs::open(packed.rig.dir.path(), 4, Sources::default()).unwrap();
    let name = SegmentName { run: 3, number: 0 };
    assert!(later.segment_touched(name).unwrap().is_some());
    later.quarantine_segment(name).unwrap();
    later.quarantine_segment(name).unwrap();
    assert_eq!(later.segment_touched(name).unwrap(), None);
    assert!(packed.rig.dir.path().join("quarantine/00000003-00000000").exists());
    let after = crate::clock::now().plus_millis(2000);
    assert_eq!(later.empty_quarantine(after).unwrap(), 1);
}
