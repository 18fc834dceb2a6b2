//! Queue of the writer, with two lanes: requests, and steps of long work.
//!
//! **Invariants**
//! - A request waits for earlier requests, and for one step at most: DeleteObjects of 1000 keys and
//!   garbage collection have many steps.
//! - Each batch takes a step if one waits, so long work proceeds under any load.
//! - The queue is bounded, and steps may use half of it: when their half is full, requests still
//!   have room.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::job::{Job, JobOutcome, Lane};
use crate::store::db::sqlite::state::DatabaseState;

/// Message to the writer.
enum Message {
    Job(Box<dyn Job>),
    /// Everything before this is answered, then the thread ends.
    Stop,
    #[cfg(test)]
    Inspect(Inspection),
}

/// A look at the writer's own connection, between two batches.
#[cfg(test)]
pub(crate) type Inspection = Box<dyn FnOnce(&rusqlite::Connection) + Send>;

/// The end that verbs have.
pub(crate) struct JobSender {
    sender: Sender<Message>,
    state: Arc<DatabaseState>,
    jobs_max: usize,
}

/// The end that the writer has.
pub(crate) struct Queue {
    receiver: Receiver<Message>,
    state: Arc<DatabaseState>,
    requests: VecDeque<Box<dyn Job>>,
    steps: VecDeque<Box<dyn Job>>,
    has_ended: bool,
    #[cfg(test)]
    inspections: VecDeque<Inspection>,
}

/// Next task of the writer.
pub(crate) enum WriterTask {
    Job(Box<dyn Job>),
    #[cfg(test)]
    Inspect(Inspection),
}

/// Jobs that a batch has taken, by lane: decide what it takes next.
#[derive(Default)]
pub(crate) struct BatchCounts {
    requests: usize,
    steps: usize,
}

/// Both ends of a queue in which at most `jobs_max` jobs wait.
pub(crate) fn queue(state: &Arc<DatabaseState>, jobs_max: usize) -> (JobSender, Queue) {
    let (sender, receiver) = channel();
    let sender = JobSender { sender, state: Arc::clone(state), jobs_max };
    let queue = Queue {
        receiver,
        state: Arc::clone(state),
        requests: VecDeque::new(),
        steps: VecDeque::new(),
        has_ended: false,
        #[cfg(test)]
        inspections: VecDeque::new(),
    };
    (sender, queue)
}

impl JobSender {
    /// Hands a job over. `Err` gives it back with the reason.
    pub(crate) fn send(&self, job: Box<dyn Job>) -> Result<(), (Box<dyn Job>, JobOutcome)> {
        let lane = job.lane();
        // Counted before it is sent, for the writer may take it at once.
        if !self.count(lane) {
            return Err((job, JobOutcome::Busy));
        }
        self.sender.send(Message::Job(job)).map_err(|returned| {
            discount(&self.state, lane);
            match returned.0 {
                Message::Job(job) => (job, JobOutcome::Closed),
                _ => unreachable!("what was sent comes back"),
            }
        })
    }

    /// Counts one more; `false` when there are as many as may be.
    fn count(&self, lane: Lane) -> bool {
        let DatabaseState { waiting, steps_waiting, .. } = &*self.state;
        let has_room = waiting.fetch_add(1, Ordering::AcqRel) < self.jobs_max;
        let has_room = match lane {
            Lane::Request => has_room,
            Lane::Step => {
                let steps_max = self.jobs_max.div_ceil(2);
                steps_waiting.fetch_add(1, Ordering::AcqRel) < steps_max && has_room
            }
        };
        if !has_room {
            discount(&self.state, lane);
        }
        has_room
    }

    /// Stops the writer after it has answered waiting jobs. False if it has stopped before.
    pub(crate) fn stop(&self) -> bool {
        self.sender.send(Message::Stop).is_ok()
    }

    #[cfg(test)]
    pub(crate) fn inspect(&self, look: Inspection) {
        assert!(self.sender.send(Message::Inspect(look)).is_ok(), "the writer lives");
    }
}

impl Queue {
    /// The first job of a batch; waits for one. `None` when there will be no more.
    pub(crate) fn first(&mut self, counts: &mut BatchCounts) -> Option<WriterTask> {
        loop {
            if let Some(job) = self.next(counts) {
                return Some(WriterTask::Job(job));
            }
            #[cfg(test)]
            if let Some(look) = self.inspections.pop_front() {
                return Some(WriterTask::Inspect(look));
            }
            if self.has_ended {
                return None;
            }
            match self.receiver.recv() {
                Ok(message) => self.sort(message),
                Err(_) => self.has_ended = true,
            }
        }
    }

    /// Next job for a batch, if one waits that it may take.
    pub(crate) fn next(&mut self, counts: &mut BatchCounts) -> Option<Box<dyn Job>> {
        self.gather();
        if let Some(job) = self.requests.pop_front() {
            counts.requests += 1;
            return Some(self.counted(job));
        }
        // Finished requests wait for the commit: at most one step may delay it.
        match counts {
            BatchCounts { requests: 1.., steps: 1.. } => None,
            _ => self.next_step(counts),
        }
    }

    /// Last job of a full batch: a step, if it has none and one waits.
    pub(crate) fn last(&mut self, counts: &mut BatchCounts) -> Option<Box<dyn Job>> {
        if counts.steps > 0 { None } else { self.next_step(counts) }
    }

    fn next_step(&mut self, counts: &mut BatchCounts) -> Option<Box<dyn Job>> {
        let job = self.steps.pop_front()?;
        counts.steps += 1;
        Some(self.counted(job))
    }

    fn counted(&self, job: Box<dyn Job>) -> Box<dyn Job> {
        discount(&self.state, job.lane());
        job
    }

    /// Empties the channel into the lanes.
    fn gather(&mut self) {
        while !self.has_ended {
            match self.receiver.try_recv() {
                Ok(message) => self.sort(message),
                Err(_) => return,
            }
        }
    }

    fn sort(&mut self, message: Message) {
        match message {
            Message::Job(job) => match job.lane() {
                Lane::Request => self.requests.push_back(job),
                Lane::Step => self.steps.push_back(job),
            },
            Message::Stop => self.has_ended = true,
            #[cfg(test)]
            Message::Inspect(look) => self.inspections.push_back(look),
        }
    }
}

/// Counts one waiting job less.
fn discount(state: &DatabaseState, lane: Lane) {
    state.waiting.fetch_sub(1, Ordering::AcqRel);
    if lane == Lane::Step {
        state.steps_waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
