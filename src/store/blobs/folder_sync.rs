//! Group fsync of a folder.
//!
//! **Invariant:** [`FolderSync::wait`] returns success only after an fsync that *began* after the
//! call. One that was already running may have read the folder before the caller's entry was in it,
//! so it does not count. All callers that arrive during a running fsync share the next one.

use std::io;

use parking_lot::{Condvar, Mutex};

/// Rounds of fsync of one folder.
#[derive(Debug, Default)]
pub struct FolderSync {
    rounds: Mutex<Rounds>,
    changed: Condvar,
}

/// Rounds are numbered from 1 and never overlap.
#[derive(Debug, Default)]
struct Rounds {
    started: u64,
    finished: u64,
    failed: bool,
}

impl FolderSync {
    /// A folder on which no fsync was called yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits until a round has ended that began after this call. Runs `fsync` itself when no other
    /// caller does. Once a round has failed, it and every later call fail: a second fsync would
    /// report success for data that the kernel has already dropped.
    pub fn wait(&self, fsync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut rounds = self.rounds.lock();
        let mine = rounds.started + 1;
        loop {
            if rounds.failed {
                return Err(io::Error::other("an earlier fsync of this folder failed"));
            }
            if rounds.finished >= mine {
                return Ok(());
            }
            if rounds.started == rounds.finished {
                break;
            }
            self.changed.wait(&mut rounds);
        }
        rounds.started += 1;
        drop(rounds);
        let outcome = fsync();
        let mut rounds = self.rounds.lock();
        rounds.finished = rounds.started;
        rounds.failed |= outcome.is_err();
        self.changed.notify_all();
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    use std::sync::{Arc, Barrier, mpsc};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn everybody_waits_for_an_fsync_that_began_after_the_call_and_few_are_made() {
        const THREADS: u64 = 16;
        const CALLS: u64 = 20;
        let folder = FolderSync::new();
        let (begun, running) = (AtomicU64::new(0), AtomicBool::new(false));
        // The entries made so far, and those that some ended fsync has made durable.
        let (entries, durable) = (AtomicU64::new(0), AtomicU64::new(0));
        let barrier = Barrier::new(THREADS as usize);
        let fsync = || {
            assert!(!running.swap(true, SeqCst), "two rounds at once");
            begun.fetch_add(1, SeqCst);
            let seen = entries.load(SeqCst);
            thread::sleep(Duration::from_millis(1));
            durable.fetch_max(seen, SeqCst);
            running.store(false, SeqCst);
            Ok(())
        };
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    for _ in 0..CALLS {
                        let mine = entries.fetch_add(1, SeqCst) + 1;
                        folder.wait(fsync).unwrap();
                        assert!(durable.load(SeqCst) >= mine, "returned before its own fsync");
                    }
                });
            }
        });
        let begun = begun.load(SeqCst);
        assert!(begun < THREADS * CALLS / 2, "{begun} fsyncs for {} calls", THREADS * CALLS);
    }

    #[test]
    fn a_running_fsync_does_not_count_for_who_comes_later() {
        let folder = Arc::new(FolderSync::new());
        let (entered, inside) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let first = thread::spawn({
            let folder = Arc::clone(&folder);
            move || {
                folder.wait(|| {
                    entered.send(()).unwrap();
                    released.recv().unwrap();
                    Ok(())
                })
            }
        });
        inside.recv().unwrap();
        let own = Arc::new(AtomicBool::new(false));
        let late = thread::spawn({
            let (folder, own) = (Arc::clone(&folder), Arc::clone(&own));
            move || {
                folder.wait(|| {
                    own.store(true, SeqCst);
                    Ok(())
                })
            }
        });
        // The late one gets time to reach its wait; `own` tells if it has run.
        thread::sleep(Duration::from_millis(20));
        assert!(!own.load(SeqCst), "it must not run beside the first");
        release.send(()).unwrap();
        first.join().unwrap().unwrap();
        late.join().unwrap().unwrap();
        assert!(own.load(SeqCst), "the late one needs a round of its own");
    }

    #[test]
    fn a_failure_is_final() {
        let folder = FolderSync::new();
        folder.wait(|| Ok(())).unwrap();
        assert!(folder.wait(|| Err(io::Error::other("EIO"))).is_err());
        assert!(folder.wait(|| panic!("tried again")).is_err());
    }
}
