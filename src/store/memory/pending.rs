//! Answers of verbs: [`Pending`], which may come from the writer thread, and [`Blocking`], which is
//! work for a thread that may wait.
//!
//! **Invariants**
//! - The work of a [`Pending`] is done, or in the writer's queue. Dropping it only loses the
//!   answer.
//! - The work of a [`Blocking`] begins when it is run. It is no future, so no thread that serves
//!   connections can run it by mistake.
//! - Long work ends within one unit after its [`Cancellation`] was requested. A transaction that
//!   has begun is not interrupted.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::store::error::{Error, Result};

/// The answer of a verb that writes, or of a read that SQLite answers at once (a few microseconds).
/// A future that needs no runtime; synchronous callers use [`Pending::wait`].
#[must_use = "the verb is done, but whether it succeeded is not known before this is awaited"]
pub struct Pending<T>(State<T>);

enum State<T> {
    Answered(Option<Result<T>>),
    Waiting(oneshot::Receiver<Result<T>>),
}

impl<T> Pending<T> {
    /// An answer that is known at once.
    pub(crate) fn answered(answer: Result<T>) -> Self {
        Self(State::Answered(Some(answer)))
    }

    /// An answer that comes through `receiver`.
    pub(crate) fn waiting(receiver: oneshot::Receiver<Result<T>>) -> Self {
        Self(State::Waiting(receiver))
    }

    /// Waits on this thread. Must not be called on a thread that runs an async task.
    pub fn wait(self) -> Result<T> {
        match self.0 {
            State::Answered(answer) => answer.expect("answered once, and not polled before"),
            State::Waiting(receiver) => receiver.blocking_recv().unwrap_or(Err(Error::Closed)),
        }
    }
}

/// Work that waits for a disk or goes through many rows: a list, a search, a page of a manifest,
/// bytes. The pool of blocking threads runs it (`Context::run`); a command runs it on its own
/// thread ([`Blocking::run`]).
#[must_use = "nothing is done before it is run"]
pub struct Blocking<T> {
    work: Work<T>,
    cancellation: Cancellation,
}

type Work<T> = Box<dyn FnOnce(&Cancellation) -> Result<T> + Send>;

impl<T> Blocking<T> {
    /// Short work that begins when it is run.
    pub fn new(work: impl FnOnce() -> Result<T> + Send + 'static) -> Self {
        Self::cancellable(move |_| work())
    }

    /// Long work, which checks its cancellation at each unit: a few hundred KiB, or one lookup.
    pub fn cancellable(work: impl FnOnce(&Cancellation) -> Result<T> + Send + 'static) -> Self {
        Self { work: Box::new(work), cancellation: Cancellation::default() }
    }

    /// The cancellation of this work, for the caller that waits for its answer.
    pub fn cancellation(&self) -> Cancellation {
        self.cancellation.clone()
    }

    /// Does the work on this thread, which must be one that may wait.
    pub fn run(self) -> Result<T> {
        (self.work)(&self.cancellation)
    }
}

/// Request to end long work whose answer nobody waits for. Cheap to clone; every clone is the same
/// request.
#[derive(Clone, Default, Debug)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Requests that the work ends.
    pub fn request(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// [`Error::Cancelled`] once the end was requested.
    pub fn check(&self) -> Result<()> {
        match self.0.load(Ordering::Relaxed) {
            true => Err(Error::Cancelled),
            false => Ok(()),
        }
    }
}

impl<T: Unpin> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut self.0 {
            State::Answered(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled after it was ready"))
            }
            // The sender is dropped without an answer only when the writer has stopped.
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
            }
        }
    }
}
