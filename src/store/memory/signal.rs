//! Wakes a background thread: when there is work, and when it shall end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
struct State {
    notified: bool,
    stopped: bool,
}

/// A bell with a memory of one ring.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

/// What a listener wakeup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wakeup {
    /// There is work.
    Notified,
    /// Nothing, for as long as it wanted to wait.
    TimedOut,
    /// The thread shall end.
    Stop,
}

impl Signal {
    pub(crate) fn notify(&self) {
        self.state.lock().notified = true;
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for a ring (or takes the one that came meanwhile), at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Wakeup {
        let quiet = |state: &mut State| !state.notified && !state.stopped;
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, quiet, at_most);
        if state.stopped {
            Wakeup::Stop
        } else if std::mem::take(&mut state.notified) {
            Wakeup::Notified
        } else {
            Wakeup::TimedOut
        }
    }

    /// Lets time pass, unless the thread shall end; `false` then.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let running = |state: &mut State| !state.stopped;
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, running, time);
        !state.stopped
    }
}
