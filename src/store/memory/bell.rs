//! Wakes a background thread: when there is work, and when it shall end.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Default)]
struct State {
    rung: bool,
    stopped: bool,
}

/// A bell with a memory of one ring.
#[derive(Default)]
pub(crate) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

/// What a listener heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wakeup {
    /// There is work.
    Ring,
    /// Nothing, for as long as it wanted to wait.
    Silence,
    /// The thread shall end.
    Stop,
}

impl Bell {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn ring(&self) {
        self.lock().rung = true;
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for a ring (or takes the one that came meanwhile), at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Wakeup {
        let quiet = |state: &mut State| !state.rung && !state.stopped;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(self.lock(), at_most, quiet)
            .unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            Wakeup::Stop
        } else if std::mem::take(&mut state.rung) {
            Wakeup::Ring
        } else {
            Wakeup::Silence
        }
    }

    /// Lets time pass, unless the thread shall end; `false` then.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let running = |state: &mut State| !state.stopped;
        let (state, _) = self
            .changed
            .wait_timeout_while(self.lock(), time, running)
            .unwrap_or_else(PoisonError::into_inner);
        !state.stopped
    }
}
