//! Complete: refusals, computed values, the answer of a repetition, and cost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::*;
use crate::digest::{Checksum, ChecksumType, ObjectChecksum};
use crate::types::ETagMatch;

fn upload_with(
    fixture: &Fixture,
    rights: &Rights,
    name: &str,
    declared: Option<(ChecksumAlgorithm, ChecksumType)>,
    parts: &[(u16, &[u8])],
) -> UploadId {
    let new = NewUpload { checksum: declared, ..NewUpload::default() };
    let upload = fixture.store.create_upload(&rights.write(name), new).wait();
    let upload = upload.expect("create").upload.id;
    for (number, part) in parts {
        let staged = fixture.stage(rights, part, declared.map(|(algorithm, _)| algorithm));
        let stored =
            fixture.store.put_part(&rights.upload(name, upload), part_number(*number), staged);
        stored.wait().expect("a part");
    }
    upload
}

#[test]
fn a_wrong_list_is_refused_and_the_upload_survives() {
    let fixture = Fixture::with(|options| options.part_bytes_min = 5_000);
    let rights = fixture.make_bucket("bucket");
    let (one, two, three) = (body(1, 5_000), body(2, 4_999), body(3, 10));
    let parts: [(u16, &[u8]); 3] = [(1, &one), (2, &two), (3, &three)];
    let upload = upload_with(&fixture, &rights, "key", None, &parts);
    let complete = |parts: &[(u16, &[u8])], change: fn(&mut CompleteUpload)| {
        let mut request = complete_request(parts);
        change(&mut request);
        fixture.complete_with(&rights, "key", upload, request)
    };
    // The list, a change of the request, and what is wrong then.
    type Case<'a> = (&'a [(u16, &'a [u8])], fn(&mut CompleteUpload), fn(&Error) -> bool);
    let cases: [Case<'_>; 10] = [
        (&[], |_| (), |e| matches!(e, Error::NoParts)),
        (&[(3, &three), (1, &one)], |_| (), |e| matches!(e, Error::InvalidPartOrder)),
        (&[(1, &one), (1, &one)], |_| (), |e| matches!(e, Error::InvalidPartOrder)),
        (
            &[(1, &one), (4, &three)],
            |_| (),
            |e| matches!(e, Error::InvalidPart { number, .. } if number.get() == 4),
        ),
        (&[(1, &two)], |_| (), |e| matches!(e, Error::InvalidPart { etag: Some(_), .. })),
        (
            &[(1, &one)],
            |request| request.parts[0].etag = None,
            |e| matches!(e, Error::InvalidPart { etag: None, .. }),
        ),
        (
            &[(1, &one), (2, &two), (3, &three)],
            |_| (),
            |e| matches!(e, Error::EntityTooSmall { size: 4_999, min: 5_000, .. }),
        ),
        (
            &[(1, &one), (3, &three)],
            |request| request.object_size = Some(5_011),
            |e| matches!(e, Error::ObjectSizeMismatch { expected: 5_011, actual: 5_010 }),
        ),
        (
            &[(1, &one), (3, &three)],
            |request| request.checksum_type = Some(ChecksumType::Composite),
            |e| matches!(e, Error::ChecksumTypeMismatch { .. }),
        ),
        (
            &[(1, &one), (3, &three)],
            |request| {
                request.checksum =
                    Some(Checksum { algorithm: ChecksumAlgorithm::Crc64nvme, value: vec![0; 8] });
            },
            |e| matches!(e, Error::ChecksumMismatch { .. }),
        ),
    ];
    for (index, (parts, change, is_expected)) in cases.into_iter().enumerate() {
        let error = complete(parts, change).expect_err("refused");
        assert!(is_expected(&error), "case {index}: {error:?}");
    }
    let request = complete_request(&[(1, &one)]);
    let missing = fixture.complete_with(&rights, "key", UploadId::new(), request.clone());
    assert!(matches!(missing, Err(Error::NoSuchUpload)));
    let elsewhere = fixture.complete_with(&rights, "other", upload, request);
    assert!(matches!(elsewhere, Err(Error::NoSuchUpload)));
    complete(&[(1, &one), (3, &three)], |request| request.object_size = Some(5_010)).expect("good");
    fixture.check();
}

#[test]
fn checksums_follow_what_was_declared() {
    use ChecksumAlgorithm as A;
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (one, two) = (body(1, 3_000), body(2, 500));
    let parts: [(u16, &[u8]); 2] = [(1, &one), (7, &two)];
    let whole = [one.clone(), two.clone()].concat();
    for (index, &algorithm) in A::ALL.iter().enumerate() {
        for kind in [ChecksumType::FullObject, ChecksumType::Composite] {
            if !algorithm.allows(kind) {
                continue;
            }
            let name = format!("key-{index}-{}", kind.name());
            let upload = upload_with(&fixture, &rights, &name, Some((algorithm, kind)), &parts);
            let mut request = complete_request(&parts);
            if kind == ChecksumType::Composite {
                let error = fixture.complete_with(&rights, &name, upload, request.clone());
                assert!(matches!(error, Err(Error::ChecksumMissing { .. })), "{name}");
            }
            for (listed, (_, part)) in request.parts.iter_mut().zip(&parts) {
                listed.checksums = digests(part, Some(algorithm)).checksum.into_iter().collect();
            }
            let mut wrong = request.clone();
            wrong.parts[1].checksums[0].value[0] ^= 1;
            let error = fixture.complete_with(&rights, &name, upload, wrong);
            assert!(matches!(error, Err(Error::InvalidPart { .. })), "{name}");
            let expected = match kind {
                ChecksumType::FullObject => {
                    digests(&whole, Some(algorithm)).checksum.map(ObjectChecksum::full)
                }
                ChecksumType::Composite => {
                    let of = |part: &[u8]| digests(part, Some(algorithm)).checksum.expect("one");
                    let all = [of(&one).value, of(&two).value].concat();
                    digests(&all, Some(algorithm)).checksum.map(|checksum| ObjectChecksum {
                        checksum,
                        kind,
                        parts: Some(2),
                    })
                }
            };
            request.checksum = expected.clone().map(|object| object.checksum);
            let completed =
                fixture.complete_with(&rights, &name, upload, request).expect("complete");
            assert_eq!(completed.checksum, expected, "{name}");
            let record = fixture.head(&rights, &name).expect("head");
            assert_eq!(record.checksum, expected, "{name}");
        }
    }
    fixture.check();
}

#[test]
fn a_part_without_the_declared_checksum_cannot_be_listed() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let declared = Some((ChecksumAlgorithm::Crc32, ChecksumType::FullObject));
    let upload = upload_with(&fixture, &rights, "key", declared, &[]);
    let part = body(1, 100);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part without CRC32");
    let error = fixture.complete(&rights, "key", upload, &[(1, &part)]);
    assert!(matches!(error, Err(Error::InvalidPart { .. })));
}

#[test]
fn a_repetition_gets_the_same_answer_and_publishes_nothing() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (one, two) = (body(1, 2_000), body(2, 300));
    let parts: [(u16, &[u8]); 2] = [(1, &one), (2, &two)];
    let upload = upload_with(&fixture, &rights, "key", None, &parts);
    let mut request = complete_request(&parts);
    request.condition.if_none_match = Some(ETagMatch::Any);
    let first = fixture.complete_with(&rights, "key", upload, request.clone()).expect("complete");
    // Even with a condition that does not hold any more, and after the object went.
    assert_eq!(
        fixture.complete_with(&rights, "key", upload, request.clone()).expect("again"),
        first
    );
    fixture.put(&rights, "key", b"newer").expect("overwrite");
    assert_eq!(
        fixture.complete_with(&rights, "key", upload, request.clone()).expect("again"),
        first
    );
    assert_eq!(fixture.read(&rights, "key").expect("read"), b"newer");
    fixture.delete(&rights, "key").expect("delete");
    fixture.store.collect_garbage().run().expect("gc");
    assert_eq!(
        fixture.complete_with(&rights, "key", upload, request.clone()).expect("again"),
        first
    );
    assert!(matches!(fixture.read(&rights, "key"), Err(Error::NoSuchKey)));

    let other = fixture.complete(&rights, "key", upload, &[(1, &one)]);
    assert!(matches!(other, Err(Error::NoSuchUpload)), "another list");
    let elsewhere = fixture.make_bucket("elsewhere");
    let foreign = fixture.complete_with(&elsewhere, "key", upload, request.clone());
    assert!(matches!(foreign, Err(Error::NoSuchUpload)), "another bucket");
    let late = crate::clock::now().plus_millis(25 * 60 * 60 * 1000);
    fixture.store.expire_uploads(late).run().expect("tombstones are forgotten");
    let forgotten = fixture.complete_with(&rights, "key", upload, request);
    assert!(matches!(forgotten, Err(Error::NoSuchUpload)));
    fixture.check();
}

#[test]
fn the_upload_survives_a_condition_that_does_not_hold() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let part = body(1, 2_000);
    let upload = upload_with(&fixture, &rights, "key", None, &[(1, &part)]);
    let mut request = complete_request(&[(1, &part)]);
    request.condition.if_match = Some(ETagMatch::Any);
    let missing = fixture.complete_with(&rights, "key", upload, request.clone());
    assert!(matches!(missing, Err(Error::NoSuchKey)), "If-Match on a missing key");
    let old = fixture.put(&rights, "key", b"old").expect("put").etag;
    request.condition.if_match = Some(ETagMatch::List(vec!["0".repeat(32)]));
    let other = fixture.complete_with(&rights, "key", upload, request.clone());
    assert!(matches!(other, Err(Error::PreconditionFailed { condition: "If-Match" })));
    assert!(fixture.store.upload(&rights.upload("key", upload)).wait().is_ok());
    request.condition.if_match = Some(ETagMatch::List(vec![old.to_string()]));
    fixture.complete_with(&rights, "key", upload, request).expect("complete");
    assert_eq!(fixture.read(&rights, "key").expect("read"), part);
    fixture.check();
}

/// The most rows that one transaction of the writer changed while `work` ran: what holds it,
/// whatever else the machine does.
fn most_changes<T>(fixture: &Fixture, work: impl FnOnce() -> T) -> (T, u64) {
    let most = &fixture.store.engine.db.state.most_changes;
    most.store(0, Ordering::Release);
    let answer = work();
    (answer, most.load(Ordering::Acquire))
}

/// Time that this thread has spent on a processor.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells");
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.expect("a number"))
}

#[test]
fn ten_thousand_parts_are_joined_and_dropped_without_holding_the_writer() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let parts: Vec<Vec<u8>> = (0..10_000).map(|i| body(i, 20)).collect();
    for (chunk, some) in parts.chunks(500).enumerate() {
        let answers: Vec<_> = some
            .iter()
            .enumerate()
            .map(|(i, part)| {
                let number = part_number((chunk * 500 + i + 1) as u16);
                let staged = fixture.stage(&rights, part, None);
                fixture.store.put_part(&rights.upload("key", upload), number, staged)
            })
            .collect();
        for answer in answers {
            answer.wait().expect("a part");
        }
    }
    let listed: Vec<(u16, &[u8])> =
        parts.iter().enumerate().map(|(i, part)| (i as u16 + 1, part.as_slice())).collect();
    let request = complete_request(&listed);
    let before = processor_time();
    let (completed, rows) =
        most_changes(&fixture, || fixture.complete_with(&rights, "key", upload, request));
    let spent = processor_time() - before;
    println!("Complete of 10,000 parts: {spent:?}; {rows} rows of the writer");
    assert!(spent < Duration::from_secs(2), "Complete took {spent:?}");
    // A run of the manifest for each 256 parts, and what every Complete writes.
    assert!((40..60).contains(&rows), "the writer was held for {rows} rows");
    assert_eq!(completed.expect("complete").etag.parts, Some(10_000));

    let object = fixture.open(&rights, "key").expect("open");
    let span = object.part(part_number(7_777)).run().expect("a look").expect("part 7777");
    assert_eq!((span.first, span.size), (7_776 * 20, 20));
    let range = crate::types::ByteRange { first: span.first, last: span.first + 19 };
    let whole = object.whole_blob(Some(range)).run().expect("a look").expect("exactly one blob");
    assert_eq!(whole.digests.md5, etag(&parts[7_776]).md5);
    assert!(read_all(&object).expect("read") == parts.concat());
    drop((object, whole));

    let (deleted, rows) = most_changes(&fixture, || {
        fixture.delete(&rights, "key").expect("delete");
        fixture.store.collect_garbage().run().expect("gc");
        // What the background thread has begun to free ends before this.
        fixture.store.collect_garbage().run()
    });
    deleted.expect("gc");
    // Three rows for each of the 256 parts or blobs of a step: it, its blob, its entry.
    assert!((256..=3 * 256 + 20).contains(&rows), "the writer was held for {rows} rows");
    fixture.check();
    assert_eq!(fixture.count_rows("parts") + fixture.count_rows("blobs"), 0);
}

#[test]
fn an_unlisted_part_behind_many_listed_ones_is_freed() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let numbers = 1..=700_u16;
    for number in numbers.clone() {
        let part = number.to_be_bytes();
        fixture.put_part(&rights, "key", upload, number, &part).expect("a part");
    }
    // More listed parts than one step of GC looks at stand before, between and behind.
    let parts: Vec<(u16, [u8; 2])> = numbers
        .filter(|number| ![300, 650].contains(number))
        .map(|number| (number, number.to_be_bytes()))
        .collect();
    let listed: Vec<(u16, &[u8])> = parts.iter().map(|(n, part)| (*n, &part[..])).collect();
    fixture.complete(&rights, "key", upload, &listed).expect("complete");
    fixture.check();
    assert_eq!((fixture.count_rows("parts"), fixture.count_rows("garbage")), (698, 0));
    let all: Vec<u8> = parts.iter().flat_map(|(_, part)| *part).collect();
    assert_eq!(fixture.read(&rights, "key").expect("read"), all);
}
