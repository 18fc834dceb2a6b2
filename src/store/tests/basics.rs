//! Each verb once, with its refusals.

use super::*;

#[test]
fn small_and_large_bodies_come_back_whole_and_in_ranges() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    for length in [0, 1, INLINE_BYTES, INLINE_BYTES + 1, 70_000, 700_000] {
        let name = format!("key-{length}");
        let sent = body(length as u64, length);
        let published = fixture.put(&rights, &name, &sent).expect("put");
        assert_eq!(published.etag, etag(&sent));
        assert_eq!(fixture.read(&rights, &name).expect("read"), sent);
        let object = fixture.open(&rights, &name).expect("open");
        assert_eq!(object.inline(None).is_some(), length <= INLINE_BYTES);
        assert_eq!(object.record.size, length as u64);
        if length > 2 {
            let range = crate::types::ByteRange { first: 1, last: length as u64 - 2 };
            let mut reader = object.reader(Some(range)).expect("a reader");
            let mut got = Vec::new();
            while let Some(unit) = reader.next().expect("a unit") {
                got.extend_from_slice(&unit);
            }
            assert_eq!(got, sent[1..length - 1]);
        }
    }
    fixture.check();
}

#[test]
fn a_multipart_object_joins_a_subset_of_its_parts() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let bodies: Vec<Vec<u8>> = (0..5).map(|i| body(i, 600 * (i as usize + 1))).collect();
    for (i, part) in bodies.iter().enumerate() {
        fixture.put_part(&rights, "key", upload, 10 * (i as u16 + 1), part).expect("a part");
    }
    let listed: Vec<(u16, &[u8])> = vec![(10, &bodies[0]), (30, &bodies[2]), (50, &bodies[4])];
    let completed = fixture.complete(&rights, "key", upload, &listed).expect("complete");
    assert_eq!(completed.etag.parts, Some(3));
    let whole: Vec<u8> = listed.iter().flat_map(|(_, part)| part.iter().copied()).collect();
    assert_eq!(fixture.read(&rights, "key").expect("read"), whole);
    assert_eq!(completed, fixture.complete(&rights, "key", upload, &listed).expect("again"));
    let object = fixture.open(&rights, "key").expect("open");
    let span = object.part(part_number(30)).run().expect("a look").expect("part 30");
    assert_eq!((span.first, span.size), (600, 1800));
    assert_eq!(object.part(part_number(20)).run().expect("a look"), None, "part 20 is not listed");
    let crc = digests(&whole, None).crc64nvme.to_be_bytes().to_vec();
    assert_eq!(completed.checksum.expect("a checksum").checksum.value, crc);
    fixture.check();
}

#[test]
fn a_lost_database_is_not_replaced_by_an_empty_one() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "kept", &body(1, 2 * INLINE_BYTES)).expect("put");
    fixture.store.engine.halt();
    let database = fixture.options.data.join("partita.db");
    for name in ["partita.db", "partita.db-wal", "partita.db-shm"] {
        let _ = std::fs::remove_file(fixture.options.data.join(name));
    }
    let refused = Store::open(fixture.options.clone()).err();
    assert!(matches!(&refused, Some(Error::Refused(_))), "{refused:?}");
    assert!(!database.exists());
    assert_eq!(fixture.count_files(), 1);
}

/// Nothing that is old is deleted after a start with a clock that may be wrong.
#[test]
fn the_clock_is_trusted_shortly_after_the_last_run() {
    let mut fixture = Fixture::new();
    assert!(!fixture.store.is_clock_settled(), "there was no run before");
    fixture.crash();
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !fixture.store.is_clock_settled() {
        assert!(std::time::Instant::now() < deadline, "the last run was a moment ago");
        std::thread::sleep(Duration::from_millis(10));
    }
}
