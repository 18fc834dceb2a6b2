//! Restarts of the WAL: their conditions, and the longest wait for one.

use std::time::{Duration, Instant};

use super::*;
use crate::store::db::sqlite::connection::{FILE_NAME, Role, connect};
use crate::store::db::sqlite::wal::{Restarted, Urgency, restart};

/// A store whose WAL nobody moves but the test: its own threads are woken at 4 MiB, or after a
/// second.
fn with_wal_of(puts: u64) -> (Fixture, Rights) {
    let fixture = Fixture::with(|options| options.inline_bytes_max = 1 << 20);
    let rights = fixture.make_bucket("bucket");
    for n in 0..puts {
        fixture.put(&rights, &format!("key-{n}"), &body(n, 50_000)).expect("put");
    }
    (fixture, rights)
}

fn try_restart(fixture: &Fixture, urgency: Urgency) -> (Restarted, Duration) {
    let path = fixture.options.data.join(FILE_NAME);
    let mut connection = connect(&path, Role::Checkpointer).expect("a connection");
    let began = Instant::now();
    let done = restart(&mut connection, &fixture.store.engine.db.state, urgency);
    (done, began.elapsed())
}

#[test]
fn without_haste_a_restart_waits_until_little_is_left() {
    let (fixture, _) = with_wal_of(40);
    // As if nothing had been moved.
    let shared = Arc::clone(&fixture.store.engine.db.state);
    shared.wal_moved.store(0, std::sync::atomic::Ordering::Release);
    assert!(shared.wal_bytes() > 1 << 20);
    assert_eq!(try_restart(&fixture, Urgency::None).0, Restarted::NotYet);
    // It asked the thread to move the WAL, which has the turn for a while.
    let until = Instant::now() + Duration::from_secs(60);
    while try_restart(&fixture, Urgency::Some).0 != Restarted::Yes {
        assert!(Instant::now() < until, "what is left does not matter in urgency");
    }
    fixture.check();
}

#[test]
fn a_restart_waits_for_its_turn_only_in_great_haste() {
    let (fixture, _) = with_wal_of(1);
    let shared = Arc::clone(&fixture.store.engine.db.state);
    // The writer's own thread of checkpoints waits for it too.
    let turn = shared.checkpointing.lock();
    assert_eq!(try_restart(&fixture, Urgency::Some).0, Restarted::NotYet);
    let waits = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| try_restart(&fixture, Urgency::Great));
        std::thread::sleep(Duration::from_millis(100));
        drop(turn);
        waiting.join().expect("it ends")
    });
    assert_eq!(waits.0, Restarted::Yes);
    assert!(waits.1 >= Duration::from_millis(90), "{:?}", waits.1);
}

#[test]
fn a_reader_hinders_a_restart_for_a_moment_or_longer_in_great_haste() {
    let (fixture, rights) = with_wal_of(1);
    let hindered = fixture.store.engine.db.in_snapshot(|| {
        fixture.put(&rights, "later", b"what the reader does not see").expect("put");
        let brief = std::iter::repeat_with(|| try_restart(&fixture, Urgency::Some))
            .find(|(done, _)| *done != Restarted::NotYet)
            .expect("the turn comes");
        let long = try_restart(&fixture, Urgency::Great);
        [brief, long]
    });
    let [brief, long] = hindered.expect("a snapshot");
    assert_eq!((brief.0, long.0), (Restarted::Blocked, Restarted::Blocked));
    assert!(brief.1 < Duration::from_millis(200), "{:?}", brief.1);
    assert!(long.1 >= Duration::from_millis(250), "{:?}", long.1);
    // Nobody is in the way any more, but for the thread, for a while.
    while try_restart(&fixture, Urgency::None).0 != Restarted::Yes {}
    fixture.check();
}
