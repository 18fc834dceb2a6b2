//! An answer that the writer thread will give.
//!
//! **Invariant:** what a [`Pending`] waits for is with the writer already. Dropping it changes
//! nothing but that nobody hears the answer.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::store::error::{Error, Result};

/// The answer of a verb that writes. A future that needs no runtime; synchronous callers use
/// [`Pending::wait`].
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

impl<T: Unpin> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut self.0 {
            State::Answered(answer) => {
                Poll::Ready(answer.take().expect("a future is not polled after it was ready"))
            }
            // The sender is gone without an answer only when the writer has stopped.
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
            }
        }
    }
}
