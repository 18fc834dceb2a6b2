//! Contents that are found by their bytes and stored once: races, and contents without references.

use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::rights::question;
use super::*;
use crate::access::{Action, Denied, Permit, ReadObject, Resource, decide};
use crate::store::db::sqlite::inspector::Fault;
use crate::types::{ByteRange, ETagMatch, Layout};

pub(super) const SIZE: usize = 70_000;

impl Fixture {
    pub(super) fn once() -> Self {
        Self::with(|options| options.dedup_buckets = vec!["bucket".into()])
    }

    /// Stages a body whose SHA-256 is known.
    pub(super) fn stage_known(&self, rights: &Rights, body: &[u8]) -> StagedBlob {
        let mut hasher = Hasher::new(WantedDigests { sha256: true, checksum: None });
        hasher.update(body);
        self.stage_on_disk(rights, body, hasher.finish())
    }

    pub(super) fn put_known(&self, rights: &Rights, name: &str, body: &[u8]) -> Published {
        let staged = self.stage_known(rights, body);
        self.store.put_object(&rights.write(name), new_object(), staged).wait().expect("published")
    }

    pub(super) fn find(&self, rights: &Rights, body: &[u8]) -> Vec<Candidate> {
        self.store.find_blobs(&rights.write("any"), wanted(body)).run().expect("a search")
    }

    /// Contents that a search finds and root may read.
    pub(super) fn readable(&self, rights: &Rights, body: &[u8]) -> Vec<Readable> {
        let grant = |candidate: Candidate| {
            let permit = self.permit_for(&candidate);
            candidate.granted(permit.as_ref())
        };
        self.find(rights, body).into_iter().filter_map(grant).collect()
    }

    /// Root's permit to read the object by which something was found.
    pub(super) fn permit_for(&self, candidate: &Candidate) -> Option<Permit<ReadObject>> {
        let (bucket, key) = candidate.object()?;
        Some(self.rights(bucket).read(key.as_str()))
    }

    /// Publishes by reference; tells whether it could be taken.
    pub(super) fn take(&self, rights: &Rights, name: &str, readables: Vec<Readable>) -> bool {
        let put = self.store.put_object_instant(&rights.write(name), new_object(), readables);
        put.wait().expect("an answer").is_some()
    }
}

pub(super) fn wanted(body: &[u8]) -> Wanted {
    Wanted {
        sha256: Sha256::digest(body).into(),
        size: body.len() as u64,
        algorithm: None,
        prefixes: None,
    }
}

#[test]
fn the_same_bytes_are_one_file() {
    let mut fixture = Fixture::once();
    let rights = fixture.make_bucket("bucket");
    let (one, other) = (body(1, SIZE), body(2, SIZE));
    for name in ["a", "b", "c", "a"] {
        fixture.put_known(&rights, name, &one);
    }
    fixture.put_known(&rights, "d", &other);
    let upload = fixture.create_upload(&rights, "e");
    for number in [1, 2] {
        let staged = fixture.stage_known(&rights, &one);
        let part = part_number(number);
        fixture.store.put_part(&rights.upload("e", upload), part, staged).wait().expect("a part");
    }
    fixture.check();
    assert_eq!((fixture.count_files(), fixture.count_rows("blobs")), (2, 2));
    fixture.complete(&rights, "e", upload, &[(1, &one), (2, &one)]).expect("complete");
    fixture.crash();
    for name in ["a", "b", "c"] {
        assert_eq!(fixture.read(&rights, name).expect("read"), one);
        fixture.delete(&rights, name).expect("deleted");
        fixture.check();
    }
    assert_eq!(fixture.count_files(), 2, "a multipart object still has it");
    assert_eq!(fixture.read(&rights, "e").expect("read"), [&one[..], &one].concat());
    fixture.delete(&rights, "e").expect("deleted");
    fixture.check();
    assert_eq!(fixture.count_files(), 1);
}

#[test]
fn other_buckets_small_bodies_and_unknown_ones_have_files_of_their_own() {
    let fixture = Fixture::once();
    let (rights, other) = (fixture.make_bucket("bucket"), fixture.make_bucket("other"));
    let (large, small) = (body(1, SIZE), body(2, 65_535));
    for name in ["a", "b"] {
        fixture.put_known(&other, name, &large);
        fixture.put(&rights, name, &large).expect("put");
        fixture.put_known(&rights, &format!("small-{name}"), &small);
    }
    fixture.check();
    assert_eq!(fixture.count_files(), 6);
    // A bucket that stores once takes what another one has.
    fixture.put_known(&rights, "c", &large);
    fixture.check();
    assert_eq!(fixture.count_files(), 6);
}

#[test]
fn an_instant_object_is_an_event_like_any_other() {
    let target = EventTarget { name: "app".into(), backlog_max: 100 };
    let fixture = Fixture::with(|options| options.event_targets = vec![target]);
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    fixture.put_known(&rights, "a", &one);
    let rule = crate::events::NotificationRule {
        id: "rule".into(),
        kind: crate::events::RuleKind::Queue,
        arn: "arn:partita:sqs::app:webhook".into(),
        target: "app".into(),
        events: vec!["s3:ObjectCreated:Put".into()],
        prefix: None,
        suffix: None,
    };
    let rules = crate::events::NotificationRules::new(vec![rule]).expect("the rule is one");
    fixture
        .store
        .set_event_rules(&rights.write_notification(), rules, false)
        .wait()
        .expect("rules are set");
    assert!(fixture.take(&rights, "b", fixture.readable(&rights, &one)));
    assert_eq!(fixture.count_rows("outbox"), 1);
}

#[test]
fn a_refused_put_keeps_nothing() {
    let fixture = Fixture::once();
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    fixture.put_known(&rights, "a", &one);
    let condition = WriteCondition { if_none_match: Some(ETagMatch::Any), ..Default::default() };
    let new = NewObject { condition, ..new_object() };
    let staged = fixture.stage_known(&rights, &one);
    let refused = fixture.store.put_object(&rights.write("a"), new, staged).wait();
    assert!(matches!(refused, Err(Error::PreconditionFailed { .. })), "{refused:?}");
    fixture.check();
    assert_eq!(fixture.count_files(), 1);
}

#[test]
fn dead_content_is_found_by_nobody() {
    let fixture = Fixture::once();
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    fixture.put_known(&rights, "a", &one);
    let before = fixture.readable(&rights, &one);
    assert_eq!(before.len(), 1);
    // A reader holds the file, so GC cannot free it: it is dead all the same.
    let open = fixture.open(&rights, "a").expect("open");
    fixture.delete(&rights, "a").expect("deleted");
    fixture.store.collect_garbage().run().expect("garbage");
    assert_eq!(fixture.count_rows("blobs"), 1, "dead, and pinned");
    assert_eq!(fixture.find(&rights, &one).len(), 0);
    assert!(!fixture.take(&rights, "b", before), "what was found before is dead too");
    // T0 does not revive it either: there is a second file.
    fixture.put_known(&rights, "c", &one);
    assert_eq!(fixture.count_files(), 2);
    assert_eq!(read_all(&open).expect("read"), one);
    drop(open);
    fixture.check();
    assert_eq!(fixture.count_files(), 1);
}

#[test]
fn what_was_found_is_taken_only_while_it_can_be_read_so() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    fixture.put_known(&rights, "a", &one);
    let found = fixture.readable(&rights, &one);
    // The content lives on in a copy, but the object by which it was allowed has other bytes.
    let source = fixture.open(&rights, "a").expect("open");
    fixture.store.copy_object(&rights.write("b"), new_object(), &source).wait().expect("copied");
    fixture.put(&rights, "a", b"other").expect("put");
    assert!(!fixture.take(&rights, "c", found));
    let found = fixture.readable(&rights, &one);
    assert!(fixture.take(&rights, "c", found), "by the copy it can");
    fixture.check();
}

#[test]
fn a_permit_for_something_else_is_no_grant() {
    let fixture = Fixture::new();
    let (rights, other) = (fixture.make_bucket("bucket"), fixture.make_bucket("other"));
    let one = body(1, SIZE);
    fixture.put_known(&rights, "a", &one);
    let candidate = || fixture.find(&rights, &one).remove(0);
    let put = question(&fixture.root, Action::PutObject, Resource::Object(rights.path("a")));
    let put = decide(put).allowed().cloned().expect("root may put");
    assert!(candidate().granted(None).is_none());
    assert_eq!(put.permit::<ReadObject>().err(), Some(Denied), "a permit to put");
    assert!(candidate().granted(Some(&other.read("a"))).is_none());
    assert!(candidate().granted(Some(&rights.read("b"))).is_none());
    assert!(candidate().granted(Some(&rights.read("a"))).is_some());
}

#[test]
fn an_unlisted_part_is_no_candidate() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (one, two) = (body(1, SIZE), body(2, SIZE));
    let upload = fixture.create_upload(&rights, "key");
    for (number, body) in [(1, &one), (2, &two)] {
        let staged = fixture.stage_known(&rights, body);
        let part = part_number(number);
        fixture.store.put_part(&rights.upload("key", upload), part, staged).wait().expect("a part");
    }
    assert_eq!(fixture.find(&rights, &two).len(), 1, "of an own open upload");
    let before = fixture.readable(&rights, &two);
    // GC waits behind the writer, so the row of the unlisted part is still there.
    let collecting = fixture.store.engine.collecting.lock();
    fixture.complete(&rights, "key", upload, &[(1, &one)]).expect("complete");
    assert_eq!(fixture.count_rows("parts"), 2);
    assert_eq!(fixture.find(&rights, &one).len(), 1);
    assert_eq!(fixture.find(&rights, &two).len(), 0);
    assert!(!fixture.take(&rights, "b", before), "the upload is not open any more");
    drop(collecting);
    fixture.check();
}

#[test]
fn a_part_of_anothers_open_upload_is_no_candidate() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    let upload = fixture.create_upload(&rights, "key");
    let staged = fixture.stage_known(&rights, &one);
    fixture
        .store
        .put_part(&rights.upload("key", upload), part_number(1), staged)
        .wait()
        .expect("a");
    let new = NewUser { name: "alice".to_owned(), ..NewUser::default() };
    let (_, alice) = fixture.store.create_user(new).wait().expect("a user");
    let hers = fixture.make_bucket_of(&alice, "hers");
    assert_eq!(fixture.find(&rights, &one).len(), 1);
    assert_eq!(fixture.find(&hers, &one).len(), 0);
}

#[test]
fn a_take_and_a_delete_have_an_order() {
    let fixture = Fixture::once();
    let rights = fixture.make_bucket("bucket");
    let one = body(1, SIZE);
    let (taken, missed) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (fixture, rights, one) = (&fixture, &rights, &one);
            let (taken, missed) = (&taken, &missed);
            scope.spawn(move || {
                let mut random = Random(thread + 1);
                for round in 0..60 {
                    let name = format!("{}", random.below(4));
                    match random.below(4) {
                        0 => drop(fixture.put_known(rights, &name, one)),
                        1 => {
                            let readables = fixture.readable(rights, one);
                            if fixture.take(rights, &format!("{thread}-{round}"), readables) {
                                taken.fetch_add(1, Ordering::Relaxed);
                            } else {
                                missed.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                        2 => drop(fixture.delete(rights, &name)),
                        _ => {
                            drop(fixture.delete(rights, &format!("{thread}-{}", round - 1)));
                            fixture.store.collect_garbage().run().expect("garbage");
                        }
                    }
                }
            });
        }
    });
    let (taken, missed) = (taken.into_inner(), missed.into_inner());
    assert!(taken > 0 && missed > 0, "both must have happened: {taken} {missed}");
    fixture.check();
    for thread in 0..8 {
        for round in 0..60 {
            match fixture.read(&rights, &format!("{thread}-{round}")) {
                Ok(bytes) => assert_eq!(bytes, one),
                Err(Error::NoSuchKey) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    let live = if fixture.find(&rights, &one).is_empty() { 0 } else { 1 };
    assert_eq!(fixture.count_rows("blobs"), live, "stored once");
}

#[test]
fn a_deduplicated_upload_costs_the_same_for_any_number_of_parts() {
    const PARTS: u16 = 600;
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let parts: Vec<Vec<u8>> = (0..PARTS).map(|part| body(part.into(), 200)).collect();
    let whole = parts.concat();
    let listed: Vec<(u16, &[u8])> = (1..).zip(parts.iter().map(Vec::as_slice)).collect();
    let digests = WholeDigests { md5: None, sha256: Some(Sha256::digest(&whole).into()) };
    let layout = Layout::new(whole.len() as u64, 200);
    let declaration = Some(Declaration { layout, digests });
    let create = |name: &str, instant| {
        let new = NewUpload { declaration, instant, ..NewUpload::default() };
        fixture.store.create_upload(&rights.write(name), new).wait().expect("an upload")
    };
    let first = create("a", Vec::new()).upload.id;
    for (number, part) in &listed {
        fixture.put_part(&rights, "a", first, *number, part).expect("a part");
    }
    let made = fixture.complete(&rights, "a", first, &listed).expect("complete");
    let found =
        fixture.store.find_contents(&rights.write("any"), wanted(&whole)).run().expect("a search");
    let grant = |found: Candidate| found.granted(Some(&rights.read("a")));
    let found: Vec<Readable> = found.into_iter().filter_map(grant).collect();
    assert_eq!(found.len(), 1);
    let rows = |fixture: &Fixture| {
        ["parts", "manifest_runs", "manifests", "blobs"].map(|table| fixture.count_rows(table))
    };
    let before = rows(&fixture);
    let deduplicated = create("b", found.clone());
    assert!(deduplicated.is_instant);
    assert_eq!(create("b", found).upload.id, deduplicated.upload.id);
    let page = fixture.store.list_parts(&rights.upload("b", deduplicated.upload.id), 0, 1000).run();
    assert_eq!(page.expect("a page").parts.len(), usize::from(PARTS));
    let again = fixture.complete(&rights, "b", deduplicated.upload.id, &listed).expect("complete");
    assert_eq!(again, made);
    assert_eq!(rows(&fixture), before, "not a row for the parts");
    fixture.delete(&rights, "a").expect("deleted");
    fixture.check();
    assert_eq!(fixture.read(&rights, "b").expect("read"), whole);
}

#[test]
fn another_content_than_the_declared_one_is_not_taken() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let (one, other) = (body(1, SIZE), body(2, SIZE));
    fixture.put_known(&rights, "a", &one);
    let digests = WholeDigests { md5: None, sha256: Some(Sha256::digest(&other).into()) };
    let layout = Layout::new(SIZE as u64, SIZE as u64);
    let declaration = Some(Declaration { layout, digests });
    let instant = fixture.readable(&rights, &one);
    let new = NewUpload { declaration, instant, ..NewUpload::default() };
    let made = fixture.store.create_upload(&rights.write("b"), new).wait().expect("an upload");
    assert!(!made.is_instant);
    fixture.check();
}

#[test]
fn a_proof_is_taken_only_in_its_bucket() {
    let one = body(1, SIZE);
    let digests = WholeDigests { md5: None, sha256: Some(Sha256::digest(&one).into()) };
    let declaration = Some(Declaration { layout: Layout::new(SIZE as u64, SIZE as u64), digests });
    for (takes_proof, source, filled) in [
        ("bucket", "bucket", Filled::Instant),
        ("*", "bucket", Filled::Instant),
        ("other", "bucket", Filled::Gone),
        ("*", "other", Filled::Gone),
    ] {
        let fixture = Fixture::with(|options| options.proof_buckets = vec![takes_proof.into()]);
        let permits = ["bucket", "other"].map(|name| fixture.make_bucket(name));
        let [rights, other] = &permits;
        let holder = if source == "bucket" { rights } else { other };
        fixture.put_known(holder, "a", &one);
        let found = fixture
            .store
            .find_contents(&holder.write("any"), wanted(&one))
            .run()
            .expect("a search");
        let range = ByteRange { first: 3, last: 9 };
        let question = RangesQuestion { nonce: [1; NONCE_BYTES], ranges: vec![range] };
        let expected = |question| {
            let expected =
                fixture.store.expected_answer(&rights.write("any"), found.clone(), question);
            expected.run().expect("a look")
        };
        let answer = Sha256::new().chain_update([1; NONCE_BYTES]).chain_update(&one[3..=9]);
        let answer: [u8; 32] = answer.finalize().into();
        let is_proven = filled == Filled::Instant;
        assert_eq!(expected(question.clone()).is_some(), is_proven, "{takes_proof} {source}");
        if let Some(expected) = expected(question.clone()) {
            assert!(expected.prove(&[0; 32]).is_none(), "another answer");
        }
        if let Some(expected) = expected(question) {
            assert_eq!(expected.prove(&answer).expect("the right answer").len(), found.len());
        }
        let new = NewUpload { declaration, ..NewUpload::default() };
        let upload =
            fixture.store.create_upload(&rights.write("b"), new).wait().expect("an upload");
        let id = upload.upload.id;
        let fill = |name: &str, id| {
            let proven = ExpectedAnswer::new(answer, found.clone()).prove(&answer);
            let proven = proven.expect("the right answer");
            fixture.store.fill_upload(&rights.upload(name, id), proven).wait()
        };
        assert!(matches!(fill("c", id), Err(Error::NoSuchUpload)), "of another key");
        assert_eq!(fill("b", id).expect("an answer"), filled, "{takes_proof} {source}");
        fixture.check();
        // Nothing but the declared file is taken, and nothing by an upload that declares none.
        let plain = fixture.create_upload(rights, "d");
        assert_eq!(fill("d", plain).expect("an answer"), Filled::Gone);
        let digests = WholeDigests { md5: None, sha256: Some([7; 32]) };
        let declaration = declaration.map(|declared| Declaration { digests, ..declared });
        let new = NewUpload { declaration, ..NewUpload::default() };
        let another = fixture.store.create_upload(&rights.write("e"), new).wait().expect("one");
        assert_eq!(fill("e", another.upload.id).expect("an answer"), Filled::Gone);
        fixture.check();
    }
}

#[test]
fn check_knows_references_of_deduplicated_uploads() {
    for (fault, line) in [
        (Fault::ContentOfUploadsLost, "its row says 2 references"),
        (Fault::RefsOfBlobsOne, "its row says 1 references, there are 2"),
        (Fault::Sha256OfBlobsOther, "SHA-256 that it is found by"),
    ] {
        let fixture = Fixture::new();
        let rights = fixture.make_bucket("bucket");
        let one = body(1, SIZE);
        fixture.put_known(&rights, "a", &one);
        let digests = WholeDigests { md5: None, sha256: Some(Sha256::digest(&one).into()) };
        let layout = Layout::new(SIZE as u64, SIZE as u64);
        let new = NewUpload {
            declaration: Some(Declaration { layout, digests }),
            instant: fixture.readable(&rights, &one),
            ..NewUpload::default()
        };
        let made = fixture.store.create_upload(&rights.write("b"), new).wait().expect("an upload");
        assert!(made.is_instant);
        fixture.check();
        fixture.store.engine.db.plant(fault);
        let found = fixture.store.check_blocks().run().expect("check runs");
        assert!(found.iter().any(|found| found.contains(line)), "{fault:?}: {found:?}");
    }
}
