//! A full disk, a panic, a crash: the answers, and the state afterwards.

use super::*;
use crate::store::db::sqlite::inspector::{Fault, lose_transaction, make_newer};
use crate::store::db::sqlite::job::{Job, JobOutcome, Purpose, RunOutcome, Txn};
use crate::store::db::sqlite::state::DatabaseState;

#[test]
fn a_full_database_fails_the_one_job_and_keeps_the_others_of_the_batch() {
    let mut fixture = Fixture::with(|options| options.inline_bytes_max = 1 << 20);
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "before", &body(0, 10)).expect("put");
    fixture.store.engine.db.limit_pages(Some(12));

    let release = fixture.block_writer();
    let mut answers = Vec::new();
    for i in 0..20_u64 {
        // The eleventh does not fit, whatever else there is.
        let length = if i == 10 { 500_000 } else { 20 };
        let (name, sent) = (format!("key-{i}"), body(i, length));
        let staged = fixture.stage(&rights, &sent, None);
        answers.push((
            name.clone(),
            sent,
            fixture.store.put_object(&rights.write(&name), new_object(), staged),
        ));
    }
    drop(release);
    let mut kept = Vec::new();
    for (i, (name, sent, answer)) in answers.into_iter().enumerate() {
        match answer.wait() {
            Ok(_) => kept.push((name, sent)),
            Err(Error::DiskFull) => assert_eq!(i, 10, "only the large one"),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(kept.len(), 19);
    assert!(fixture.store.health().poisoned.is_none(), "the server goes on");
    fixture.delete(&rights, "before").expect("deletes go on");

    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    for (name, sent) in kept {
        assert_eq!(fixture.read(&rights, &name).expect("acknowledged, so there"), sent);
    }
    assert!(matches!(fixture.read(&rights, "key-10"), Err(Error::NoSuchKey)));
    fixture.put(&rights, "key-10", &body(10, 500_000)).expect("there is room again");
    fixture.check();
}

#[test]
fn a_full_database_unlinks_the_file_of_the_refused_put() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, 2_000)).expect("put");
    fixture.store.engine.db.limit_pages(Some(0));
    let mut full = 0;
    for i in 0..60 {
        let name = format!("{i}-{}", "x".repeat(900));
        match fixture.put(&rights, &name, &body(i, 2_000)) {
            Ok(_) => {}
            Err(Error::DiskFull) => full += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(full > 0);
    fixture.store.engine.db.limit_pages(None);
    fixture.check();
    assert_eq!(fixture.count_files(), 61 - full);
}

/// A job that does what a test asks.
struct Rogue(fn(&Txn<'_>) -> RunOutcome, std::sync::mpsc::Sender<JobOutcome>);

impl Job for Rogue {
    fn run(&mut self, txn: &Txn<'_>) -> RunOutcome {
        (self.0)(txn)
    }
    fn finish(self: Box<Self>, outcome: JobOutcome, _: &DatabaseState) {
        self.1.send(outcome).expect("the test listens");
    }
    fn inline_bytes(&self) -> usize {
        0
    }
    fn purpose(&self) -> Purpose {
        Purpose::Add
    }
}

fn send_rogue(
    fixture: &Fixture,
    run: fn(&Txn<'_>) -> RunOutcome,
) -> std::sync::mpsc::Receiver<JobOutcome> {
    let (sender, receiver) = std::sync::mpsc::channel();
    fixture.store.engine.db.send(Box::new(Rogue(run, sender)));
    receiver
}

#[test]
fn a_transaction_lost_under_a_batch_is_noticed_and_every_job_runs_again() {
    let mut fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let release = fixture.block_writer();
    let mut answers = Vec::new();
    let mut put = |i: u64| {
        let staged = fixture.stage(&rights, &body(i, 20), None);
        let permit = rights.write(&format!("key-{i}"));
        answers.push(fixture.store.put_object(&permit, new_object(), staged));
    };
    (0..5).for_each(&mut put);
    // As SQLite does on some errors: the whole transaction is rolled back, and the job that met the
    // error says nothing of it.
    let rogue = send_rogue(&fixture, |txn| {
        lose_transaction(txn);
        RunOutcome::Kept
    });
    (5..10).for_each(&mut put);
    drop(release);
    for answer in answers {
        answer.wait().expect("put");
    }
    assert_eq!(rogue.recv().expect("a outcome"), JobOutcome::Busy);
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    for i in 0..10 {
        assert_eq!(fixture.read(&rights, &format!("key-{i}")).expect("read"), body(i, 20));
    }
    fixture.check();
}

#[test]
fn a_panic_in_a_transaction_poisons_the_store_and_answers_everybody() {
    let mut fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", &body(1, 2_000)).expect("put");
    let release = fixture.block_writer();
    let staged = fixture.stage(&rights, &body(2, 3_000), None);
    let with_it = fixture.store.put_object(&rights.write("other"), new_object(), staged);
    let rogue = send_rogue(&fixture, |_| panic!("a broken invariant"));
    drop(release);
    assert!(matches!(with_it.wait(), Err(Error::Poisoned)));
    assert_eq!(rogue.recv().expect("a outcome"), JobOutcome::Unknown);
    let health = fixture.store.health();
    assert!(!health.writable);
    assert!(health.poisoned.expect("a reason").contains("a broken invariant"));
    assert!(matches!(fixture.put(&rights, "key", b"x"), Err(Error::Poisoned)));
    assert!(matches!(fixture.head(&rights, "key"), Err(Error::Poisoned)));
    assert_eq!(fixture.count_files(), 2, "the file whose fate was unknown stays");

    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    assert_eq!(fixture.read(&rights, "key").expect("read"), body(1, 2_000));
    // The background thread may have been faster.
    fixture.store.sweep_files().run().expect("sweep");
    let quarantine = std::fs::read_dir(fixture.options.data.join("quarantine")).expect("a folder");
    assert_eq!((quarantine.count(), fixture.count_files()), (1, 1), "the file without a row");
    fixture.check();
}

#[test]
fn a_writer_that_dies_between_commit_and_answer_leaves_the_files_of_committed_rows() {
    let mut fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let release = fixture.block_writer();
    let (sender, receiver) = std::sync::mpsc::channel();
    // Settled first: its hearer panics on the writer's thread, after COMMIT.
    fixture.store.engine.db.send(Box::new(Rogue(|_| RunOutcome::Kept, sender)));
    drop(receiver);
    let staged = fixture.stage(&rights, &body(1, 3_000), None);
    let put = fixture.store.put_object(&rights.write("key"), new_object(), staged);
    drop(release);
    assert!(put.wait().is_err(), "nobody can say what became of it");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while fixture.store.health().poisoned.is_none() {
        assert!(std::time::Instant::now() < deadline, "a store without a writer is poisoned");
        std::thread::yield_now();
    }
    fixture.crash();
    let rights = fixture.make_bucket("bucket");
    assert_eq!(fixture.read(&rights, "key").expect("committed"), body(1, 3_000));
    fixture.check();
}

#[test]
fn the_wal_of_an_earlier_run_is_moved_before_anything_is_written_behind_it() {
    let mut fixture = Fixture::with(|options| options.inline_bytes_max = 1 << 20);
    let rights = fixture.make_bucket("bucket");
    // A snapshot from before, so that nothing can be moved by the time of the crash.
    let engine = std::sync::Arc::clone(&fixture.store.engine);
    let written = engine.db.in_snapshot(|| {
        for i in 0..20 {
            fixture.put(&rights, &format!("key-{i}"), &body(i, 50_000)).expect("put");
        }
        assert!(fixture.store.health().wal_bytes > 1 << 20);
    });
    written.expect("the end of the snapshot");
    fixture.crash();
    let bytes = fixture.store.engine.db.state.wal_bytes();
    assert!(bytes < 256 << 10, "the start moved what the crash had left: {bytes}");
    let rights = fixture.make_bucket("bucket");
    assert_eq!(fixture.read(&rights, "key-19").expect("read"), body(19, 50_000));
    fixture.check();
}

#[test]
fn sequence_numbers_rise_across_a_crash() {
    let mut fixture = Fixture::new();
    let seq = |fixture: &Fixture, name: &str| {
        let rights = fixture.make_bucket("bucket");
        fixture.put(&rights, name, b"x").expect("put");
        fixture.store.engine.db.seq_of(name)
    };
    let before = [seq(&fixture, "a"), seq(&fixture, "b")];
    fixture.crash();
    let after = seq(&fixture, "c");
    assert!(before[0] < before[1] && before[1] < after, "{before:?} {after}");
}

#[test]
fn a_row_that_tells_another_size_than_its_content_is_damage() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    for (name, length) in [("inline", 100), ("file", 5_000)] {
        fixture.put(&rights, name, &body(1, length)).expect("put");
    }
    fixture.store.engine.db.plant(Fault::SizeOfObjects(7));
    for name in ["inline", "file"] {
        let read = fixture.read(&rights, name);
        assert!(matches!(read, Err(Error::Damaged { .. })), "{name}: {read:?}");
    }
}

#[test]
fn a_copy_of_the_folder_taken_at_any_time_opens_and_holds_what_was_acknowledged() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    for i in 0..30 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, 100 * i as usize)).expect("put");
    }
    // What a power cut would leave: database, WAL and files as they are, nothing closed.
    let folder = tempfile::tempdir().expect("a folder");
    let copy = folder.path().join("data");
    let status =
        std::process::Command::new("cp").arg("-a").args([&fixture.options.data, &copy]).status();
    assert!(status.expect("cp runs").success());
    let store = Store::open(Options { data: copy, ..fixture.options.clone() }).expect("opens");
    for i in 0..30 {
        let access = rights.access(&format!("key-{i}"));
        let object = store.open_object(&access).wait().expect("there");
        let object = object.open(&access).expect("root may read it");
        assert_eq!(read_all(&object).expect("read"), body(i, 100 * i as usize));
    }
    assert_eq!(store.check_blocks().run().expect("check"), Vec::<String>::new());
}

#[test]
fn a_second_opening_is_refused_and_a_newer_schema_too() {
    let fixture = Fixture::new();
    assert!(matches!(Store::open(fixture.options.clone()), Err(Error::Locked { .. })));
    fixture.store.close();
    assert!(matches!(fixture.store.delete_key("nobody").wait(), Err(Error::Closed)));
    let wal = fixture.options.data.join("partita.db-wal");
    assert!(std::fs::metadata(wal).map_or(0, |file| file.len()) == 0, "the WAL was moved");
    make_newer(&fixture.options.data);
    let newer = Store::open(fixture.options.clone());
    assert!(matches!(newer, Err(Error::NewerSchema { found: 99, .. })));
}

#[test]
fn a_full_queue_is_overload() {
    let fixture = Fixture::with(|options| options.writer_queue_max = 4);
    let rights = fixture.make_bucket("bucket");
    let release = fixture.block_writer();
    let answers: Vec<_> = (0..10)
        .map(|i| {
            let staged = fixture.stage(&rights, &body(i, 2_000), None);
            fixture.store.put_object(&rights.write(&format!("{i}")), new_object(), staged)
        })
        .collect();
    drop(release);
    let answers: Vec<_> = answers.into_iter().map(Pending::wait).collect();
    let refused = answers.iter().filter(|a| matches!(a, Err(Error::Overloaded))).count();
    assert_eq!((refused, answers.iter().filter(|a| a.is_ok()).count()), (6, 4));
    fixture.check();
    assert_eq!(fixture.count_files(), 4);
}

#[test]
fn the_wal_stays_short_under_load_and_is_moved_when_idle() {
    let fixture = Fixture::with(|options| {
        options.inline_bytes_max = 1 << 20;
        options.wal_bytes_restart = 1 << 20;
    });
    let rights = fixture.make_bucket("bucket");
    for i in 0..100 {
        fixture.put(&rights, &format!("key-{i}"), &body(i, 50_000)).expect("put");
        let bytes = fixture.store.engine.db.state.wal_bytes();
        assert!(bytes < 3 << 20, "{bytes} bytes of WAL at a limit of 1 MiB");
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while fixture.store.health().wal_bytes > 0 {
        assert!(std::time::Instant::now() < deadline, "an idle WAL is moved");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    fixture.check();
}

#[test]
fn a_wal_that_a_reader_keeps_long_refuses_writes_and_recovers() {
    let fixture = Fixture::with(|options| {
        options.inline_bytes_max = 1 << 20;
        options.wal_bytes_restart = 1 << 20;
        options.wal_bytes_max = 2 << 20;
    });
    let rights = fixture.make_bucket("bucket");
    fixture.put(&rights, "key", b"x").expect("put");
    let refused =
        fixture.store.engine.db.in_snapshot(|| {
            (0..200).find_map(|i| fixture.put(&rights, "key", &body(i, 50_000)).err())
        });
    assert!(matches!(refused, Ok(Some(Error::Overloaded))), "{refused:?}");
    assert!(!fixture.store.health().writable);
    assert_eq!(fixture.read(&rights, "key").expect("reads go on").len(), 50_000);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(120);
    while fixture.put(&rights, "key", b"y").is_err() {
        assert!(std::time::Instant::now() < deadline, "writes go on once the reader is gone");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    fixture.check();
}

#[test]
fn a_slow_checkpoint_makes_writes_wait_and_refuses_none() {
    let fixture = Fixture::with(|options| {
        options.inline_bytes_max = 1 << 20;
        options.wal_bytes_restart = 1 << 20;
        options.wal_bytes_max = 4 << 20;
    });
    let rights = fixture.make_bucket("bucket");
    let shared = std::sync::Arc::clone(&fixture.store.engine.db.state);
    let (held, holds) = std::sync::mpsc::channel();
    let slow = std::thread::spawn(move || {
        let _turn = shared.checkpointing.lock();
        held.send(()).expect("the test waits");
        std::thread::sleep(std::time::Duration::from_millis(700));
    });
    holds.recv().expect("the turn is taken");
    for i in 0..200 {
        // Ten megabytes, past the limit if nobody waited.
        fixture.put(&rights, "key", &body(i, 50_000)).expect("it waits for its turn");
    }
    slow.join().expect("it only sleeps");
    assert!(fixture.store.engine.db.state.wal_bytes() < 4 << 20);
    fixture.check();
}
