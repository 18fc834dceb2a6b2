//! Crashes at each point of the verbs that share bytes: the data folder opens again, contains
//! everything that was acknowledged, and the interrupted change wholly or not at all.
//!
//! Method: the writer is blocked while the verb's job waits in the queue between two jobs of the
//! test. These jobs copy the data folder at four moments: before the verb runs; inside of its
//! transaction before COMMIT; after COMMIT, while the file of a duplicate still exists; and at the
//! end of the verb. Each copy is opened as after a crash, checked, swept, and its files are
//! counted.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use sha2::{Digest as _, Sha256};

use super::*;
use crate::store::db::sqlite::job::{Job, JobOutcome, Purpose, RunOutcome, Txn};
use crate::store::db::sqlite::state::DatabaseState;
use crate::types::Layout;

const SIZE: usize = 70_000;
/// A batch of the writer may end between two jobs: then the case is tried again.
const TRIES_MAX: usize = 200;

/// Copies the data folder as it is.
fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.expect("cp runs").success());
}

/// A job that does nothing but copy.
struct Copier {
    data: PathBuf,
    when_run: Option<PathBuf>,
    when_settled: PathBuf,
    done: std::sync::mpsc::Sender<()>,
}

impl Job for Copier {
    fn run(&mut self, _: &Txn<'_>) -> RunOutcome {
        if let Some(to) = &self.when_run {
            copy(&self.data, to);
        }
        RunOutcome::Kept
    }
    fn finish(self: Box<Self>, outcome: JobOutcome, _: &DatabaseState) {
        assert_eq!(outcome, JobOutcome::Committed);
        copy(&self.data, &self.when_settled);
        // Nobody listens to the first one.
        let _ = self.done.send(());
    }
    fn inline_bytes(&self) -> usize {
        0
    }
    fn purpose(&self) -> Purpose {
        Purpose::Add
    }
}

type Verb = Box<dyn FnOnce(&Fixture) + Send>;
type StateCheck = Box<dyn Fn(&Fixture, &Rights) -> bool>;

/// One verb to crash in.
struct Case {
    fixture: Fixture,
    /// The verb: one job of the writer.
    verb: Option<Verb>,
    /// Check of a store after a crash: true if the verb has happened.
    has_happened: StateCheck,
    /// Number of files that there must be: without the change, and with it.
    files: (usize, usize),
}

/// Runs the verb; gives the four copies.
fn crash_everywhere(case: &mut Case, folder: &Path) -> [PathBuf; 4] {
    let points =
        ["waiting", "in-transaction", "committed", "settled"].map(|name| folder.join(name));
    let (fixture, verb) = (&case.fixture, case.verb.take().expect("not run yet"));
    let data = fixture.options.data.clone();
    let send = |when_run: Option<&PathBuf>, when_settled: &PathBuf| -> Receiver<()> {
        let (done, receiver) = channel();
        let (when_run, when_settled) = (when_run.cloned(), when_settled.clone());
        let copier = Copier { data: data.clone(), when_run, when_settled, done };
        fixture.store.engine.db.send(Box::new(copier));
        receiver
    };
    let release = fixture.block_writer();
    std::thread::scope(|scope| {
        send(None, &points[2]);
        let verb = scope.spawn(|| verb(fixture));
        fixture.wait_for_jobs(2);
        copy(&data, &points[0]);
        let last = send(Some(&points[1]), &points[3]);
        drop(release);
        last.recv().expect("it is settled");
        verb.join().expect("the verb succeeds");
    });
    points
}

/// Opens a copy as after a crash; true if the verb has happened.
fn check_copy(case: &Case, copy: &Path) -> bool {
    let options = Options { data: copy.to_path_buf(), ..case.fixture.options.clone() };
    let store = Store::open(options.clone()).expect("it opens again");
    let root = store.credential(&case.fixture.root.access_key_id).expect("root is there");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fixture =
        Fixture { store, root, options, packs: false, open: Store::open, _folder: folder };
    let rights = fixture.make_bucket("bucket");
    fixture.check();
    let has_happened = (case.has_happened)(&fixture, &rights);
    let wanted = if has_happened { case.files.1 } else { case.files.0 };
    assert_eq!(fixture.count_files(), wanted, "{}", copy.display());
    fixture.check();
    has_happened
}

/// Crashes at each point of the verb of this case, made anew for each try.
fn check(make: impl Fn() -> Case) {
    check_until(make, [false, false, true, true]);
}

fn check_until(make: impl Fn() -> Case, wanted: [bool; 4]) {
    for _ in 0..TRIES_MAX {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut case = make();
        let points = crash_everywhere(&mut case, folder.path());
        // In whatever batches the jobs ran, each copy must be sound; that these are the four
        // moments is known when the outcomes are.
        if points.map(|point| check_copy(&case, &point)) == wanted {
            return;
        }
    }
    panic!("no copy was taken between COMMIT and the verb's end");
}

/// A bucket that stores once, with these bytes under "a".
fn with_one(bytes: &[u8]) -> (Fixture, Rights) {
    let fixture = Fixture::once();
    let rights = fixture.make_bucket("bucket");
    fixture.put_known(&rights, "a", bytes);
    (fixture, rights)
}

/// A check that is true if `name` has these bytes. Otherwise the key must be absent. "a" must have
/// its own bytes in both cases.
fn object_is(name: &'static str, bytes: Vec<u8>, a: Vec<u8>) -> StateCheck {
    Box::new(move |fixture, rights| {
        assert!(fixture.read(rights, "a").expect("it was acknowledged") == a);
        match fixture.read(rights, name) {
            Ok(read) => {
                assert!(read == bytes, "{name} has other bytes");
                true
            }
            Err(Error::NoSuchKey) => false,
            Err(error) => panic!("{name}: {error}"),
        }
    })
}

/// A check that is true if part 1 of the upload is there. Then it must have these bytes.
fn part_is(upload: UploadId, bytes: Vec<u8>) -> StateCheck {
    Box::new(move |fixture, rights| {
        let page =
            fixture.store.list_parts(&rights.upload("b", upload), 0, 10).run().expect("it is open");
        let tags: Vec<ETag> = page.parts.iter().map(|part| part.etag).collect();
        assert!(tags.is_empty() || tags == [etag(&bytes)]);
        if !tags.is_empty() {
            // What is listed can be published, and read.
            fixture.complete(rights, "b", upload, &[(1, &bytes)]).expect("complete");
            assert!(fixture.read(rights, "b").expect("read") == bytes);
        }
        !tags.is_empty()
    })
}

fn declared(bytes: &[u8]) -> Option<Declaration> {
    let layout = Layout::new(bytes.len() as u64, bytes.len() as u64);
    let digests = WholeDigests { md5: None, sha256: Some(Sha256::digest(bytes).into()) };
    Some(Declaration { layout, digests })
}

/// An upload of "b" that was created with the content of "a".
fn deduplicated(fixture: &Fixture, rights: &Rights, bytes: &[u8]) -> UploadId {
    let instant = fixture.readable(rights, bytes);
    let new = NewUpload { declaration: declared(bytes), instant, ..NewUpload::default() };
    let made = fixture.store.create_upload(&rights.write("b"), new).wait().expect("an upload");
    assert!(made.is_instant);
    made.upload.id
}

#[test]
fn of_an_object_that_is_taken() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        let readables = fixture.readable(&rights, &one);
        let verb: Verb = Box::new(move |fixture| assert!(fixture.take(&rights, "b", readables)));
        let has_happened = object_is("b", one.clone(), one);
        Case { fixture, verb: Some(verb), has_happened, files: (1, 1) }
    });
}

#[test]
fn of_a_part_that_is_taken() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        let upload = fixture.create_upload(&rights, "b");
        let readables = fixture.readable(&rights, &one);
        let part = InstantPart { number: part_number(1), readables, checksum: None };
        let verb: Verb = Box::new(move |fixture| {
            let put = fixture.store.put_parts_instant(&rights.upload("b", upload), vec![part]);
            assert!(put.wait().expect("an answer")[0].is_some());
        });
        Case { fixture, verb: Some(verb), has_happened: part_is(upload, one), files: (1, 1) }
    });
}

#[test]
fn of_a_duplicate_whose_file_goes() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        let staged = fixture.stage_known(&rights, &one);
        assert_eq!(fixture.count_files(), 2);
        let verb: Verb = Box::new(move |fixture| {
            fixture.store.put_object(&rights.write("b"), new_object(), staged).wait().expect("put");
        });
        let has_happened = object_is("b", one.clone(), one);
        Case { fixture, verb: Some(verb), has_happened, files: (1, 1) }
    });
}

#[test]
fn of_a_duplicate_part() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        let upload = fixture.create_upload(&rights, "b");
        let staged = fixture.stage_known(&rights, &one);
        let verb: Verb = Box::new(move |fixture| {
            let number = part_number(1);
            let put = fixture.store.put_part(&rights.upload("b", upload), number, staged);
            put.wait().expect("a part");
        });
        Case { fixture, verb: Some(verb), has_happened: part_is(upload, one), files: (1, 1) }
    });
}

#[test]
fn of_the_complete_of_a_deduplicated_upload() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        // What it replaces goes, and only that.
        fixture.put_known(&rights, "b", &body(2, SIZE));
        let upload = deduplicated(&fixture, &rights, &one);
        let list = one.clone();
        let verb: Verb = Box::new(move |fixture| {
            fixture.complete(&rights, "b", upload, &[(1, &list)]).expect("complete");
        });
        let has_happened: StateCheck = Box::new(move |fixture, rights| {
            let is_new = fixture.read(rights, "b").expect("one of the two") == one;
            // The same answer as ever, and the same object afterwards; "a" may go meanwhile.
            fixture.delete(rights, "a").expect("deleted");
            let again = fixture.complete(rights, "b", upload, &[(1, &one)]).expect("complete");
            assert_eq!(again.etag, etag(&one));
            assert!(fixture.read(rights, "b").expect("read") == one);
            fixture.check();
            is_new
        });
        Case { fixture, verb: Some(verb), has_happened, files: (1, 1) }
    });
}

#[test]
fn of_a_part_that_ends_a_birth() {
    check(|| {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        let upload = deduplicated(&fixture, &rights, &one);
        let other = body(2, SIZE);
        let staged = fixture.stage_known(&rights, &other);
        let (tag, one_tag) = (etag(&other), etag(&one));
        let verb: Verb = Box::new(move |fixture| {
            let number = part_number(1);
            let put = fixture.store.put_part(&rights.upload("b", upload), number, staged);
            put.wait().expect("a part");
        });
        let has_happened: StateCheck = Box::new(move |fixture, rights| {
            let page =
                fixture.store.list_parts(&rights.upload("b", upload), 0, 10).run().expect("open");
            assert!([tag, one_tag].contains(&page.parts[0].etag));
            page.parts[0].etag == tag
        });
        Case { fixture, verb: Some(verb), has_happened, files: (1, 2) }
    });
}

#[test]
fn of_a_complete_whose_file_was_verified() {
    check(|| {
        let parts = [body(1, SIZE), body(2, 700)];
        let (fixture, rights) = with_one(&parts[0]);
        let upload = fixture.create_upload(&rights, "b");
        for (number, part) in (1..).zip(&parts) {
            fixture.put_part(&rights, "b", upload, number, part).expect("a part");
        }
        let list = [(1, parts[0].as_slice()), (2, parts[1].as_slice())];
        let mut request = complete_request(&list);
        request.digests.sha256 = Some(Sha256::digest(parts.concat()).into());
        let again = request.clone();
        let verb: Verb = Box::new(move |fixture| {
            fixture.complete_with(&rights, "b", upload, request).expect("complete");
        });
        let has_happened: StateCheck = Box::new(move |fixture, rights| {
            let is_open = fixture.store.upload(&rights.upload("b", upload)).wait().is_ok();
            assert_eq!(fixture.read(rights, "b").is_err(), is_open, "published, or still open");
            // The parts are all there, and make the file again.
            fixture.complete_with(rights, "b", upload, again.clone()).expect("complete");
            assert!(fixture.read(rights, "b").expect("read") == parts.concat());
            !is_open
        });
        // What "a" has, and a part of the same bytes whose SHA-256 nobody knew.
        Case { fixture, verb: Some(verb), has_happened, files: (2, 2) }
    });
}

#[test]
fn of_a_dead_blob_whose_twin_lives() {
    let make = || {
        let one = body(1, SIZE);
        let (fixture, rights) = with_one(&one);
        // The same bytes in a file of their own; a reader keeps GC from it until the verb.
        fixture.put(&rights, "twin", &one).expect("put");
        assert_eq!(fixture.count_files(), 2);
        let open = fixture.open(&rights, "twin").expect("open");
        fixture.delete(&rights, "twin").expect("deleted");
        let verb: Verb = Box::new(move |fixture| {
            drop(open);
            fixture.store.collect_garbage().run().expect("garbage");
        });
        let has_happened: StateCheck = Box::new(move |fixture, rights| {
            assert!(fixture.read(rights, "a").expect("it was acknowledged") == one);
            true
        });
        // The unlink comes before the row goes, so it is done with at every point.
        Case { fixture, verb: Some(verb), has_happened, files: (1, 1) }
    };
    check_until(make, [true; 4]);
}
