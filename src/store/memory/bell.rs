//! Wakes a background thread: when there is work, and when it shall end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

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
    pub(crate) fn ring(&self) {
        self.state.lock().rung = true;
        self.changed.notify_all();
    }

    pub(crate) fn stop(&self) {
        self.state.lock().stopped = true;
        self.changed.notify_all();
    }

    /// Waits for a ring (or takes the one that came meanwhile), at most so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Wakeup {
        let quiet = |state: &mut State| !state.rung && !state.stopped;
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, quiet, at_most);
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
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, running, time);
        !state.stopped
    }
}
