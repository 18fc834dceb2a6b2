//! Signal to a background thread: there is work, or it must end.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Default)]
struct State {
    notified: bool,
    stopped: bool,
}

/// A signal that remembers one notification.
#[derive(Default)]
pub(crate) struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

/// Result of waiting for a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wakeup {
    /// There is work.
    Notified,
    /// No notification came in time.
    TimedOut,
    /// The thread must end.
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

    /// Waits for a notification, at most for `at_most`. Takes one that came before the call.
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

    /// Sleeps for `time`. Returns false as soon as the thread must end.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let running = |state: &mut State| !state.stopped;
        let mut state = self.state.lock();
        self.changed.wait_while_for(&mut state, running, time);
        !state.stopped
    }
}
