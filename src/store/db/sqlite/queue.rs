//! What waits for the writer: requests, and the steps of long work.
//!
//! **Invariants**
//! - A request waits for requests that came before it, and for no more than one step at a time:
//!   DeleteObjects of 1000 keys and the collection of garbage have many steps, which would else
//!   stand before everybody who comes after them.
//! - Each batch takes a step if one waits, so long work goes on however many requests come.
//! - What waits is bounded by a count, of which steps have half: where they fill theirs, requests
//!   are still taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

use super::job::{Job, JobOutcome, Lane};
use crate::store::db::sqlite::state::DatabaseState;

/// What comes through the channel.
enum Message {
    Job(Box<dyn Job>),
    /// Everything before this is answered, then the thread ends.
    Stop,
    #[cfg(test)]
    Inspect(Look),
}

/// A look at the writer's own connection, between two batches.
#[cfg(test)]
pub(crate) type Look = Box<dyn FnOnce(&rusqlite::Connection) + Send>;

/// The end that verbs have.
pub(crate) struct JobSender {
    sender: Sender<Message>,
    shared: Arc<DatabaseState>,
    jobs_max: usize,
}

/// The end that the writer has.
pub(crate) struct Queue {
    receiver: Receiver<Message>,
    shared: Arc<DatabaseState>,
    requests: VecDeque<Box<dyn Job>>,
    steps: VecDeque<Box<dyn Job>>,
    has_ended: bool,
    #[cfg(test)]
    looks: VecDeque<Look>,
}

/// What the writer does next.
pub(crate) enum First {
    Job(Box<dyn Job>),
    #[cfg(test)]
    Look(Look),
}

/// What a batch has taken: decides what it may take.
#[derive(Default)]
pub(crate) struct Taken {
    requests: usize,
    steps: usize,
}

/// Both ends of a queue in which at most `jobs_max` jobs wait.
pub(crate) fn queue(shared: &Arc<DatabaseState>, jobs_max: usize) -> (JobSender, Queue) {
    let (sender, receiver) = channel();
    let entrance = JobSender { sender, shared: Arc::clone(shared), jobs_max };
    let queue = Queue {
        receiver,
        shared: Arc::clone(shared),
        requests: VecDeque::new(),
        steps: VecDeque::new(),
        has_ended: false,
        #[cfg(test)]
        looks: VecDeque::new(),
    };
    (entrance, queue)
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
            discount(&self.shared, lane);
            match returned.0 {
                Message::Job(job) => (job, JobOutcome::Closed),
                _ => unreachable!("what was sent comes back"),
            }
        })
    }

    /// Counts one more; `false` when there are as many as may be.
    fn count(&self, lane: Lane) -> bool {
        let DatabaseState { waiting, steps_waiting, .. } = &*self.shared;
        let has_room = waiting.fetch_add(1, Ordering::AcqRel) < self.jobs_max;
        let has_room = match lane {
            Lane::Request => has_room,
            Lane::Step => {
                let steps_max = self.jobs_max.div_ceil(2);
                steps_waiting.fetch_add(1, Ordering::AcqRel) < steps_max && has_room
            }
        };
        if !has_room {
            discount(&self.shared, lane);
        }
        has_room
    }

    /// Has the writer answer what waits, and end. `false` when it has ended.
    pub(crate) fn stop(&self) -> bool {
        self.sender.send(Message::Stop).is_ok()
    }

    #[cfg(test)]
    pub(crate) fn inspect(&self, look: Look) {
        assert!(self.sender.send(Message::Inspect(look)).is_ok(), "the writer lives");
    }
}

impl Queue {
    /// The first job of a batch; waits for one. `None` when there will be no more.
    pub(crate) fn first(&mut self, taken: &mut Taken) -> Option<First> {
        loop {
            if let Some(job) = self.next(taken) {
                return Some(First::Job(job));
            }
            #[cfg(test)]
            if let Some(look) = self.looks.pop_front() {
                return Some(First::Look(look));
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

    /// One more, if one waits that the batch may take.
    pub(crate) fn next(&mut self, taken: &mut Taken) -> Option<Box<dyn Job>> {
        self.gather();
        if let Some(job) = self.requests.pop_front() {
            taken.requests += 1;
            return Some(self.counted(job));
        }
        // Requests that are done wait for the commit: one step, and no more, may delay it.
        match taken {
            Taken { requests: 1.., steps: 1.. } => None,
            _ => self.next_step(taken),
        }
    }

    /// What a batch that is full still has to take: a step, if it has none and one waits.
    pub(crate) fn last(&mut self, taken: &mut Taken) -> Option<Box<dyn Job>> {
        if taken.steps > 0 { None } else { self.next_step(taken) }
    }

    fn next_step(&mut self, taken: &mut Taken) -> Option<Box<dyn Job>> {
        let job = self.steps.pop_front()?;
        taken.steps += 1;
        Some(self.counted(job))
    }

    fn counted(&self, job: Box<dyn Job>) -> Box<dyn Job> {
        discount(&self.shared, job.lane());
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
            Message::Inspect(look) => self.looks.push_back(look),
        }
    }
}

/// One less waits.
fn discount(shared: &DatabaseState, lane: Lane) {
    shared.waiting.fetch_sub(1, Ordering::AcqRel);
    if lane == Lane::Step {
        shared.steps_waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
