//! Packed bodies: creation and removal, the state after a crash, and the rules of `check`.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::store::blobs::name::SegmentName;
use crate::store::db::sqlite::inspector::Fault;
use crate::store::upkeep::sweep::{QUARANTINE_MS, punch_gaps};
use crate::types::ETagMatch;

const SIZE: usize = 20_000;
/// Bytes of the extent of such a body: pages of 4 KiB.
const EXTENT: u64 = 20_480;

impl Fixture {
    fn segments(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.options.data.join("segments")).expect("the folder");
        let name = |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> =
            folder.map(|entry| name(entry).into_string().expect("plain")).collect();
        names.sort();
        names
    }

    /// As if nobody had touched the first segment for longer than gaps are kept.
    fn make_segment_old(&self) {
        let old = Duration::from_millis(crate::clock::now().millis() - QUARANTINE_MS - 60_000);
        let path = self.options.data.join("segments").join(&self.segments()[0]);
        let file = std::fs::OpenOptions::new().write(true).open(path).expect("the segment");
        file.set_modified(UNIX_EPOCH + old).expect("it is made old");
    }

    fn complaints(&self) -> Vec<String> {
        self.store.check_blocks().run().expect("check runs")
    }
}

#[test]
fn packed_bodies_are_read_replaced_and_freed() {
    let mut fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    for i in 0..5 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, SIZE)).expect("put");
    }
    assert_eq!((fixture.count_files(), fixture.segment_bytes()), (0, 5 * EXTENT));
    fixture.put(&rights, "key-1", &body(9, SIZE)).expect("replaced");
    fixture.delete(&rights, "key-3").expect("deleted");
    let refused = WriteCondition { if_none_match: Some(ETagMatch::Any), if_match: None };
    let answer = fixture.put_if(&rights, "key-2", &body(7, SIZE), refused);
    assert!(matches!(answer, Err(Error::PreconditionFailed { .. })));
    fixture.check();
    assert_eq!(fixture.segment_bytes(), 4 * EXTENT);
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    for (i, seed) in [(0, 0), (1, 9), (2, 2), (4, 4)] {
        assert_eq!(fixture.read(&rights, &format!("key-{i}")).expect("read"), body(seed, SIZE));
    }
    fixture.check();
}

#[test]
fn an_open_reader_keeps_a_packed_body() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, SIZE)).expect("put");
    let open = fixture.open(&rights, "key").expect("open");
    fixture.delete(&rights, "key").expect("deleted");
    fixture.check();
    assert_eq!(read_all(&open).expect("it is pinned"), body(1, SIZE));
    drop(open);
    fixture.check();
    assert_eq!(fixture.segment_bytes(), 0);
}

#[test]
fn a_part_is_packed_and_outlives_its_upload() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let parts = [body(1, SIZE), body(2, SIZE), body(3, SIZE)];
    for (number, part) in (1..).zip(&parts) {
        fixture.put_part(&rights, "key", upload, number, part).expect("a part");
    }
    // The second is not listed.
    fixture.complete(&rights, "key", upload, &[(1, &parts[0]), (3, &parts[2])]).expect("complete");
    fixture.check();
    assert_eq!(fixture.segment_bytes(), 2 * EXTENT);
    assert_eq!(fixture.read(&rights, "key").expect("read"), [&*parts[0], &parts[2]].concat());
    let upload = fixture.create_upload(&rights, "other");
    fixture.put_part(&rights, "other", upload, 1, &parts[1]).expect("a part");
    fixture.store.abort_upload(&rights.ending("other", upload)).wait().expect("aborted");
    fixture.check();
    assert_eq!(fixture.segment_bytes(), 2 * EXTENT);
}

#[test]
fn what_a_crash_left_between_the_bytes_and_the_row_is_a_gap() {
    let mut fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "before", &body(1, SIZE)).expect("put");
    let lost = fixture.stage(&rights, &body(2, SIZE), None);
    fixture.put(&rights, "after", &body(3, SIZE)).expect("put");
    // As the kill leaves it: synced, and nobody to take it back.
    lost.keep();
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    fixture.check();
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 0);
    assert_eq!(fixture.segment_bytes(), 3 * EXTENT, "a restored database might have its row");

    fixture.make_segment_old();
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 1);
    assert_eq!(fixture.segment_bytes(), 2 * EXTENT);
    for (name, seed) in [("before", 1), ("after", 3)] {
        assert_eq!(fixture.read(&rights, name).expect("read"), body(seed, SIZE));
    }
    fixture.check();
}

#[test]
fn bytes_that_an_older_database_does_not_name_wait_from_its_first_start_on() {
    let mut fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "early", &body(1, SIZE)).expect("put");
    let data = fixture.options.data.clone();
    fixture.store.engine.db.back_up(&data.join("backup"));
    fixture.put(&rights, "late", &body(2, SIZE)).expect("put");
    fixture.store.close();
    for name in ["partita.db-wal", "partita.db-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    std::fs::rename(data.join("backup"), data.join("partita.db")).expect("restored");
    // Both bodies were written long before the database was restored.
    fixture.make_segment_old();
    fixture.crash();
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 0);
    assert_eq!(fixture.segment_bytes(), 2 * EXTENT, "the right database may still come");

    // The start after that is no new beginning.
    fixture.make_segment_old();
    fixture.crash();
    fixture.store.sweep_files().run().expect("sweep");
    assert_eq!(fixture.segment_bytes(), EXTENT);
    let rights = fixture.make_bucket("bucket");
    assert_eq!(fixture.read(&rights, "early").expect("read"), body(1, SIZE));
    fixture.check();
}

#[test]
fn the_number_of_a_run_whose_segment_is_in_quarantine_is_not_given_again() {
    let mut fixture = Fixture::packing();
    // As a start with an older database moved it there.
    let rescued = fixture.options.data.join("quarantine/00000002-00000000");
    std::fs::write(&rescued, "bytes of a lost row").expect("the folder is there");
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, SIZE)).expect("put");
    assert_eq!(fixture.segments(), ["00000003-00000000"]);
}

#[test]
fn a_row_at_an_impossible_place_stops_nothing_else() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    for i in 0..2 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, SIZE)).expect("put");
    }
    fixture.store.engine.db.plant(Fault::Pages { first_page: 0, pages: 0 });
    for i in 0..2 {
        fixture.delete(&rights, &format!("key-{i}")).expect("deleted");
    }
    assert!(matches!(fixture.store.collect_garbage().run(), Err(Error::Damaged { .. })));
    assert_eq!(fixture.segment_bytes(), EXTENT);
    fixture.put(&rights, "next", &body(3, SIZE)).expect("the store lives");
    fixture.store.engine.db.plant(Fault::Pages { first_page: 0, pages: 5 });
    fixture.check();
    assert_eq!(fixture.segment_bytes(), EXTENT);
}

#[test]
fn gaps_are_found_among_more_rows_than_are_read_at_once() {
    let mut fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    // Two of three are lost.
    for i in 0..3_300 {
        let staged = fixture.stage(&rights, &body(i, 1_001), None);
        match i % 3 {
            0 => {
                let put =
                    fixture.store.put_object(&rights.write(&format!("{i}")), new_object(), staged);
                put.wait().expect("put");
            }
            _ => staged.keep(),
        }
    }
    fixture.crash();
    let name = SegmentName::parse(&fixture.segments()[0]).expect("a segment");
    assert_eq!(punch_gaps(&fixture.store.engine, name).expect("punched"), 1);
    assert_eq!(punch_gaps(&fixture.store.engine, name).expect("nothing is left"), 0);
    assert_eq!(fixture.segment_bytes(), 1_100 * 4096);
    fixture.check();
}

#[test]
fn a_segment_without_rows_goes() {
    let mut fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, SIZE)).expect("put");
    fixture.delete(&rights, "key").expect("deleted");
    fixture.check();
    fixture.store.sweep_files().run().expect("sweep");
    assert_eq!(fixture.segments(), ["00000001-00000000"], "the next body goes there");
    fixture.put(&rights, "key", &body(2, SIZE)).expect("put");
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    fixture.check();
    assert_eq!(fixture.segments(), ["00000001-00000000"], "it has a row");
    fixture.delete(&rights, "key").expect("deleted");
    fixture.check();
    fixture.store.sweep_files().run().expect("sweep");
    assert_eq!(fixture.segments(), [""; 0]);
    assert!(fixture.options.data.join("quarantine/00000001-00000000").exists());
}

#[test]
fn a_full_segment_stays_while_a_row_names_it() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, SIZE)).expect("put");
    let filler = Bytes::from(vec![0; PACKED_BYTES_MAX as usize]);
    let digests = digests(&filler, None);
    while fixture.segments().len() == 1 {
        let origin = BlobOrigin { bucket: rights.bucket().id, key: key("filler"), part: None };
        let staged = fixture.store.pack(origin, filler.clone(), digests.clone()).wait();
        drop(staged.expect("a body is packed"));
    }
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 0);
    assert_eq!(fixture.read(&rights, "key").expect("read"), body(1, SIZE));
    // Dead, but somebody reads it.
    let open = fixture.open(&rights, "key").expect("open");
    fixture.delete(&rights, "key").expect("deleted");
    fixture.check();
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 0);
    assert_eq!(read_all(&open).expect("it is pinned"), body(1, SIZE));
    drop(open);
    fixture.check();
    assert_eq!(fixture.store.sweep_files().run().expect("sweep"), 1);
    assert_eq!(fixture.segments(), ["00000001-00000001"]);
}

#[test]
fn a_lost_database_beside_segments_is_noticed() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, SIZE)).expect("put");
    fixture.store.close();
    for name in ["partita.db", "partita.db-wal", "partita.db-shm"] {
        let _ = std::fs::remove_file(fixture.options.data.join(name));
    }
    assert!(matches!(Store::open(fixture.options.clone()), Err(Error::Refused(_))));
}

#[test]
fn check_sees_a_missing_segment_and_blobs_that_overlap() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    for i in 0..3 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, SIZE)).expect("put");
    }
    assert_eq!(fixture.complaints(), [""; 0]);
    fixture.store.engine.db.plant(Fault::PagesChanged(1));
    let found = fixture.complaints();
    assert!(found.iter().any(|line| line.contains("begins inside of another")), "{found:?}");
    // What another row names is not punched away with it.
    fixture.delete(&rights, "key-0").expect("deleted");
    assert!(matches!(fixture.store.collect_garbage().run(), Err(Error::Damaged { .. })));
    assert_eq!(fixture.read(&rights, "key-1").expect("read"), body(1, SIZE));
    fixture.store.engine.db.plant(Fault::PagesChanged(-1));
    fixture.check();

    let path = fixture.options.data.join("segments").join(&fixture.segments()[0]);
    std::fs::remove_file(path).expect("removed");
    let found = fixture.complaints();
    let missing = found.iter().filter(|line| line.contains("is not there")).count();
    assert_eq!((missing, found.len()), (2, 2), "{found:?}");
    let read = fixture.read(&rights, "key-1");
    assert!(matches!(read, Err(Error::Damaged { .. })), "{read:?}");
}

#[test]
fn check_goes_through_more_extents_than_are_read_at_once() {
    let fixture = Fixture::packing();
    let rights = fixture.make_bucket("bucket");
    for i in 0..1_500 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, 1_001)).expect("put");
    }
    assert_eq!(fixture.complaints(), [""; 0]);
    // The last of one page, which the first of the next one begins inside of.
    for first_page in [999, 1_200] {
        fixture.store.engine.db.plant(Fault::Pages { first_page, pages: 2 });
    }
    let found = fixture.complaints();
    let overlaps = found.iter().filter(|line| line.contains("begins inside of another"));
    assert_eq!(overlaps.count(), 2, "{found:?}");
}
