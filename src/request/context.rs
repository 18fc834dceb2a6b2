//! Context that all requests of a gateway share.

use std::sync::Arc;

use tokio::sync::watch;

use crate::access::Principal;
use crate::config::Config;
use crate::limits::quota::Slot;
use crate::limits::{Limits, RETRY_SOON_SECONDS};
use crate::store::{self, Blocking, Cancellation, Store};
use crate::wire::{Error, ErrorCode, Result};

/// Settings, store and limits of a gateway. Cheap to clone; every clone is the same context.
#[derive(Clone)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// The store.
    pub store: Store,
    /// Scarce resources.
    pub limits: Arc<Limits>,
    /// Signal of the shutdown.
    pub shutdown: Shutdown,
}

/// Signal that the server shuts down, for requests that wait for another request.
#[derive(Clone, Default)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// Starts the shutdown and wakes waiting handlers.
    pub fn start(&self) {
        self.0.send_replace(true);
    }

    /// Returns once the shutdown has started.
    pub async fn started(&self) {
        // The sender is here, so there is no other end of waiting.
        let _ = self.0.subscribe().wait_for(|started| *started).await;
    }
}

impl Context {
    /// A context over an open store, with limits of its own.
    pub fn new(config: Arc<Config>, store: Store) -> Self {
        Self { config, store, limits: Arc::default(), shutdown: Shutdown::default() }
    }

    /// Takes a slot of the requests under way for the user behind a request. `None` for anonymous
    /// callers, whose requests are bounded by the connections of their address.
    ///
    /// # Errors
    /// SlowDown when the user has three quarters of all connections in use.
    pub fn take_request_slot(&self, principal: &Principal) -> Result<Option<Slot>> {
        let Some(user) = principal.user() else { return Ok(None) };
        let all = self.config.connections_max;
        let slot = self.limits.requests.take(&user.id, (all * 3).div_ceil(4), usize::MAX);
        let message = "Too many of your requests are under way. Please reduce your request rate.";
        slot.map(Some).ok_or_else(|| Error::slow_down(message, RETRY_SOON_SECONDS))
    }

    /// Runs a verb on the pool of blocking threads. When the client hangs up, long work ends within
    /// one unit; a transaction that has begun runs to its end.
    ///
    /// # Errors
    /// Those of the verb; InternalError when it panicked.
    #[expect(clippy::disallowed_methods, reason = "this is where the pool runs it")]
    pub async fn run<T: Send + 'static>(&self, verb: Blocking<T>) -> Result<T> {
        // Dropped with this future: nobody waits for the answer any more.
        let _awaited = Awaited::new(&verb);
        on_pool(move || verb.run().map_err(Error::from)).await
    }

    /// Runs a verb that reads files or many rows on the blocking pool. It runs to its end even
    /// when the client hangs up.
    pub async fn blocking<T, F>(&self, verb: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Store) -> store::Result<T> + Send + 'static,
    {
        let store = self.store.clone();
        on_pool(move || verb(&store).map_err(Error::from)).await
    }
}

/// Guard of a wait for an answer: its drop cancels the work.
pub struct Awaited(Cancellation);

impl Awaited {
    /// The guard of the wait for `verb`.
    pub fn new<T>(verb: &Blocking<T>) -> Self {
        Self(verb.cancellation())
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.request();
    }
}

/// Runs work that takes long, or waits for a disk, on the blocking pool.
///
/// # Errors
/// Its own; InternalError when it panicked.
pub async fn on_pool<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(Error::new(ErrorCode::InternalError).caused_by(panic)))
}
