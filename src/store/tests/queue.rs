//! The writer's queue: the order of jobs, and the bounds of a batch.

use std::sync::atomic::Ordering;

use super::*;
use crate::store::db::sqlite::job::{Job, JobOutcome, Lane, Purpose, RunOutcome, Txn};
use crate::store::db::sqlite::queue::{BatchCounts, JobSender, Queue, WriterTask, queue};
use crate::store::db::sqlite::state::DatabaseState;

/// A job that is known by its number.
struct Numbered(usize, Lane);

impl Job for Numbered {
    fn run(&mut self, _: &Txn<'_>) -> RunOutcome {
        RunOutcome::Kept
    }
    fn finish(self: Box<Self>, _: JobOutcome, _: &DatabaseState) {}
    fn inline_bytes(&self) -> usize {
        self.0
    }
    fn purpose(&self) -> Purpose {
        Purpose::Add
    }
    fn lane(&self) -> Lane {
        self.1
    }
}

fn send(sender: &JobSender, lane: Lane, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        assert!(sender.send(Box::new(Numbered(number, lane))).is_ok(), "{number} has room");
    }
}

/// The numbers of one batch that is never full.
fn batch(queue: &mut Queue) -> Vec<usize> {
    let mut counts = BatchCounts::default();
    let mut numbers = Vec::new();
    if let Some(WriterTask::Job(job)) = queue.first(&mut counts) {
        numbers.push(job.inline_bytes());
        while let Some(job) = queue.next(&mut counts) {
            numbers.push(job.inline_bytes());
        }
    }
    numbers
}

fn fixture_queue(jobs_max: usize) -> (Fixture, JobSender, Queue) {
    let fixture = Fixture::new();
    // Jobs of the first round of the background work would be counted with those of the test.
    while !fixture.store.engine.swept.load(Ordering::Acquire) {
        std::thread::yield_now();
    }
    let (sender, queue) = queue(&fixture.store.engine.db.state, jobs_max);
    (fixture, sender, queue)
}

#[test]
fn requests_pass_steps_and_wait_for_one_of_them() {
    let (_fixture, sender, mut queue) = fixture_queue(100);
    send(&sender, Lane::Step, [1, 2, 3, 4]);
    send(&sender, Lane::Request, [11, 12]);
    assert_eq!(batch(&mut queue), [11, 12, 1]);
    send(&sender, Lane::Request, [13]);
    assert_eq!(batch(&mut queue), [13, 2]);
    assert_eq!(batch(&mut queue), [3, 4], "steps alone fill a batch");
}

#[test]
fn a_request_that_comes_among_steps_goes_next_and_ends_the_batch() {
    let (_fixture, sender, mut queue) = fixture_queue(100);
    send(&sender, Lane::Step, [1, 2, 3]);
    let mut counts = BatchCounts::default();
    let Some(WriterTask::Job(first)) = queue.first(&mut counts) else { panic!("a step waits") };
    assert_eq!(first.inline_bytes(), 1);
    send(&sender, Lane::Request, [11]);
    assert_eq!(queue.next(&mut counts).map(|job| job.inline_bytes()), Some(11));
    assert!(queue.next(&mut counts).is_none(), "it waits for the commit now");
    assert_eq!(batch(&mut queue), [2, 3]);
}

#[test]
fn a_batch_full_of_requests_takes_one_step_still() {
    let (_fixture, sender, mut queue) = fixture_queue(100);
    send(&sender, Lane::Step, [1, 2]);
    send(&sender, Lane::Request, [11, 12]);
    let mut counts = BatchCounts::default();
    assert!(
        matches!(queue.first(&mut counts), Some(WriterTask::Job(job)) if job.inline_bytes() == 11)
    );
    assert_eq!(queue.last(&mut counts).map(|job| job.inline_bytes()), Some(1));
    assert!(queue.last(&mut counts).is_none(), "and no second one");
}

#[test]
fn what_waits_is_bounded_in_both_lanes_and_answered_before_the_end() {
    let (_fixture, sender, mut queue) = fixture_queue(4);
    let refused = |lane| sender.send(Box::new(Numbered(0, lane))).err().map(|(_, why)| why);
    send(&sender, Lane::Step, [1, 2]);
    assert_eq!(refused(Lane::Step), Some(JobOutcome::Busy), "steps have half of the room");
    send(&sender, Lane::Request, [10, 11]);
    assert_eq!(refused(Lane::Request), Some(JobOutcome::Busy));
    assert_eq!(batch(&mut queue), [10, 11, 1]);
    // What was counts from the channel, but has not begun, still counts.
    send(&sender, Lane::Request, [12, 13, 14]);
    assert_eq!(refused(Lane::Step), Some(JobOutcome::Busy));
    assert!(sender.stop());
    assert_eq!(batch(&mut queue), [12, 13, 14, 2]);
    assert!(batch(&mut queue).is_empty());
    drop(queue);
    assert_eq!(refused(Lane::Request), Some(JobOutcome::Closed));
    assert!(!sender.stop());
}

#[test]
fn a_put_passes_the_steps_of_a_bulk_delete() {
    let fixture = Fixture::new();
    let rights = fixture.make_bucket("bucket");
    let commits = || fixture.store.engine.db.state.commits.load(Ordering::Acquire);
    let release = fixture.block_writer();
    // No garbage is collected meanwhile: that would be batches too.
    let collecting = fixture.store.engine.collecting.lock();
    let before = commits();
    let names: Vec<String> = (0..640).map(|n| n.to_string()).collect();
    let permits = rights.deletes(names.iter().map(String::as_str));
    let deleted = fixture.store.delete_objects(&permits);
    let staged = fixture.stage(&rights, b"x", None);
    let put = fixture.store.put_object(&rights.write("5"), new_object(), staged);
    drop(release);
    put.wait().expect("put");
    deleted.wait().expect("delete");
    assert_eq!(commits() - before, 2, "the put with one step, and the other nine");
    // The put came first, so what it put is gone: had the first step passed it, it would be there.
    assert!(matches!(fixture.read(&rights, "5"), Err(Error::NoSuchKey)));
    drop(collecting);
    fixture.check();
}
