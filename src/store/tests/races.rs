//! Named races of two verbs.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::*;
use crate::types::ETagMatch;

#[test]
fn a_late_part_after_complete_is_refused_and_its_file_unlinked() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 5_000);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    // Staged before, sent to the writer after Complete.
    let late = fixture.stage(&rights, &body(2, 6_000), None);
    fixture.complete(&rights, "key", upload, &[(1, &part)]).expect("complete");
    let answer = fixture.store.put_part(&rights.upload("key", upload), part_number(1), late).wait();
    assert!(matches!(answer, Err(Error::NoSuchUpload)));
    assert_eq!(fixture.read(&rights, "key").expect("read"), part);
    fixture.check();
    assert_eq!(fixture.count_files(), 1, "the late part's file is gone");
}

#[test]
fn abort_after_complete_is_refused_and_the_object_stays() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 5_000);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    fixture.complete(&rights, "key", upload, &[(1, &part)]).expect("complete");
    let abort = fixture.store.abort_upload(&rights.ending("key", upload)).wait();
    assert!(matches!(abort, Err(Error::NoSuchUpload)));
    fixture.check();
    assert_eq!(fixture.read(&rights, "key").expect("read"), part);
}

#[test]
fn a_part_replaced_during_complete_is_seen_or_refused_never_mixed() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    for round in 0..30 {
        let name = format!("key-{round}");
        let upload = fixture.create_upload(&rights, &name);
        let (old, new) = (body(round * 2, 3_000), body(round * 2 + 1, 4_000));
        fixture.put_part(&rights, &name, upload, 1, &old).expect("a part");
        let barrier = Barrier::new(2);
        let (completed, replaced) = std::thread::scope(|scope| {
            let replace = scope.spawn(|| {
                barrier.wait();
                fixture.put_part(&rights, &name, upload, 1, &new)
            });
            barrier.wait();
            let completed = fixture.complete(&rights, &name, upload, &[(1, &old)]);
            (completed, replace.join().expect("no panic"))
        });
        match (completed, replaced) {
            (Ok(_), Err(Error::NoSuchUpload)) => {
                assert_eq!(fixture.read(&rights, &name).expect("read"), old);
            }
            (Err(Error::InvalidPart { .. }), Ok(_)) => {
                fixture.complete(&rights, &name, upload, &[(1, &new)]).expect("the new part");
                assert_eq!(fixture.read(&rights, &name).expect("read"), new);
            }
            other => panic!("neither before nor after: {other:?}"),
        }
    }
    fixture.check();
}

#[test]
fn a_part_that_arrives_between_prepare_and_publish_is_never_published_under_the_old_etag() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let (old, new) = (body(1, 3_000), body(2, 4_000));
    fixture.put_part(&rights, "key", upload, 1, &old).expect("a part");
    let staged = fixture.stage(&rights, &new, None);
    let release = fixture.block_writer();
    let replaced = fixture.store.put_part(&rights.upload("key", upload), part_number(1), staged);
    let completed = std::thread::scope(|scope| {
        let complete = scope.spawn(|| fixture.complete(&rights, "key", upload, &[(1, &old)]));
        // Prepared while the old part was there, queued behind the new one.
        fixture.wait_for_jobs(2);
        drop(release);
        complete.join().expect("no panic")
    });
    replaced.wait().expect("a part");
    assert!(matches!(completed, Err(Error::InvalidPart { .. })), "{completed:?}");
    fixture.complete(&rights, "key", upload, &[(1, &new)]).expect("the new part");
    assert_eq!(fixture.read(&rights, "key").expect("read"), new);
    fixture.check();
}

#[test]
fn an_abort_between_prepare_and_publish_wins() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 3_000);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    let release = fixture.block_writer();
    let aborted = fixture.store.abort_upload(&rights.ending("key", upload));
    let completed = std::thread::scope(|scope| {
        let complete = scope.spawn(|| fixture.complete(&rights, "key", upload, &[(1, &part)]));
        fixture.wait_for_jobs(2);
        drop(release);
        complete.join().expect("no panic")
    });
    aborted.wait().expect("abort");
    assert!(matches!(completed, Err(Error::NoSuchUpload)), "{completed:?}");
    assert!(matches!(fixture.read(&rights, "key"), Err(Error::NoSuchKey)));
    fixture.check();
    assert_eq!(fixture.count_files(), 0);
}

#[test]
fn a_part_that_moves_the_generation_makes_complete_prepare_again() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 2_000);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    let stop = AtomicBool::new(false);
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut seed = 100;
            while !stop.load(Ordering::Relaxed) {
                seed += 1;
                // Another number, unlisted: the list stays valid, only the generation moves.
                let _ = fixture.put_part(&rights, "key", upload, 2, &body(seed, 10));
            }
        });
        let mut answer = fixture.complete(&rights, "key", upload, &[(1, &part)]);
        for _ in 0..100 {
            if !matches!(answer, Err(Error::OperationAborted)) {
                break;
            }
            answer = fixture.complete(&rights, "key", upload, &[(1, &part)]);
        }
        stop.store(true, Ordering::Relaxed);
        answer
    });
    answer.expect("Complete comes through, or says that it was disturbed");
    assert_eq!(fixture.read(&rights, "key").expect("read"), part);
    fixture.check();
}

#[test]
fn a_pinned_reader_keeps_its_content_from_the_garbage_collector() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "parts");
    let parts: Vec<Vec<u8>> = (0..600).map(|i| body(i, 1_100)).collect();
    for (i, part) in parts.iter().enumerate() {
        fixture.put_part(&rights, "parts", upload, i as u16 + 1, part).expect("a part");
    }
    let listed: Vec<(u16, &[u8])> =
        parts.iter().enumerate().map(|(i, part)| (i as u16 + 1, part.as_slice())).collect();
    fixture.complete(&rights, "parts", upload, &listed).expect("complete");
    let plain = body(7, 50_000);
    fixture.put(&rights, "plain", &plain).expect("put");

    let open: Vec<OpenObject> =
        ["parts", "plain"].map(|name| fixture.open(&rights, name).expect("open")).into();
    let mut half_read = open[0].reader(None).expect("a reader");
    let first = half_read.next().expect("a unit").expect("bytes");
    assert!(fixture.delete(&rights, "parts").expect("delete"));
    fixture.put(&rights, "plain", b"new").expect("overwrite");
    fixture.store.collect_garbage().run().expect("gc");
    let held = ["parts", "manifests"].map(|table| fixture.count_rows(table));
    assert_eq!((held, fixture.count_files()), ([600, 1], 601), "both contents are pinned");
    assert_eq!(fixture.store.check().run().expect("check"), Vec::<String>::new());

    let mut got = first.to_vec();
    while let Some(unit) = half_read.next().expect("a unit") {
        got.extend_from_slice(&unit);
    }
    assert!(got == parts.concat(), "a deleted object is read to its end");
    assert_eq!(read_all(&open[1]).expect("read"), plain);
    drop((open, half_read));
    // Whoever comes first, this or the background thread.
    fixture.check();
    let held = ["parts", "manifests", "blobs"].map(|table| fixture.count_rows(table));
    assert_eq!(held, [0, 0, 1], "all is freed but the new body");
    assert_eq!(fixture.count_files(), 0);
}

#[test]
fn readers_meet_deletes_and_overwrites_and_never_see_damage() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let stop = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    match fixture.open(&rights, "key") {
                        Ok(object) => {
                            let bytes = read_all(&object).expect("what is open can be read");
                            assert_eq!(etag(&bytes), object.record.etag, "one version, whole");
                            reads.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(Error::NoSuchKey) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                fixture.store.collect_garbage().run().expect("gc");
            }
        });
        for round in 0..150 {
            fixture.put(&rights, "key", &body(round, 1_500)).expect("put");
            if round % 5 == 4 {
                fixture.delete(&rights, "key").expect("delete");
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 0);
    fixture.check();
}

#[test]
fn a_copy_of_a_dying_content_is_refused_or_whole() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let small = body(1, 10);
    fixture.put(&rights, "small", &small).expect("put");
    let source = fixture.open(&rights, "small").expect("open");
    fixture.delete(&rights, "small").expect("delete");
    let copy = fixture.store.copy_object(&rights.write("copy"), new_object(), &source).wait();
    assert!(matches!(copy, Err(Error::NoSuchKey)), "zero is final");
    drop(source);

    for round in 0..40 {
        let (name, copy) = (format!("key-{round}"), format!("copy-{round}"));
        let sent = body(round, 2_000);
        fixture.put(&rights, &name, &sent).expect("put");
        let source = fixture.open(&rights, &name).expect("open");
        let deleted = fixture.store.delete_object(&rights.delete(&name), WriteCondition::default());
        let copied = fixture.store.copy_object(&rights.write(&copy), new_object(), &source);
        assert!(deleted.wait().expect("delete"));
        assert!(matches!(copied.wait(), Err(Error::NoSuchKey)));

        fixture.put(&rights, &name, &sent).expect("put");
        let source = fixture.open(&rights, &name).expect("open");
        let copied = fixture.store.copy_object(&rights.write(&copy), new_object(), &source);
        let deleted = fixture.store.delete_object(&rights.delete(&name), WriteCondition::default());
        assert_eq!(copied.wait().expect("copied before").etag, etag(&sent));
        assert!(deleted.wait().expect("delete"));
        assert_eq!(fixture.read(&rights, &copy).expect("read"), sent);
    }
    fixture.check();
}

#[test]
fn of_32_racing_conditional_puts_exactly_one_wins() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let barrier = Barrier::new(32);
    let winners: Vec<u64> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..32)
            .map(|i| {
                let (fixture, rights, barrier) = (&fixture, &rights, &barrier);
                scope.spawn(move || {
                    let condition = WriteCondition {
                        if_none_match: Some(ETagMatch::Any),
                        ..WriteCondition::default()
                    };
                    barrier.wait();
                    let length = if i % 2 == 0 { 100 } else { 2_000 };
                    match fixture.put_if(rights, "key", &body(i, length), condition) {
                        Ok(_) => Some(i),
                        Err(Error::PreconditionFailed { condition: "If-None-Match" }) => None,
                        Err(error) => panic!("{error}"),
                    }
                })
            })
            .collect();
        racers.into_iter().filter_map(|racer| racer.join().expect("no panic")).collect()
    });
    let [winner] = winners[..] else { panic!("not one winner: {winners:?}") };
    let length = if winner % 2 == 0 { 100 } else { 2_000 };
    assert_eq!(fixture.read(&rights, "key").expect("read"), body(winner, length));
    fixture.check();
    assert_eq!(fixture.count_files(), usize::from(length > INLINE_BYTES), "the losers' files");
}

#[test]
fn racing_completes_of_one_upload_publish_once_and_answer_the_same() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let upload = fixture.create_upload(&rights, "key");
    let part = body(1, 2_000);
    fixture.put_part(&rights, "key", upload, 1, &part).expect("a part");
    let barrier = Barrier::new(8);
    let answers: Vec<Completed> = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    fixture.complete(&rights, "key", upload, &[(1, &part)]).expect("complete")
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(fixture.count_rows("manifests"), 1);
    fixture.check();
}
