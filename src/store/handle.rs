//! Handle of an open store. The verbs of each noun are in the file of the noun.

use std::sync::Arc;

use super::engine::Engine;
use super::error::Result;
use super::upkeep::gc;
#[cfg(doc)]
use crate::store::error::Error;
use crate::store::records::health::Health;
use crate::store::records::options::Options;
use crate::types::Timestamp;

/// The store. Cheap to clone; every clone is the same store. When the last clone is dropped without
/// [`Store::close`], its threads stop and the WAL stays for the next start.
#[derive(Clone)]
pub struct Store {
    pub(super) engine: Arc<Engine>,
    /// Ends the threads with the last clone: an open reader may hold the engine for longer.
    _life: Arc<Life>,
}

struct Life(Arc<Engine>);

impl Drop for Life {
    fn drop(&mut self) {
        self.0.halt();
    }
}

/// The life of a store.
impl Store {
    /// Takes the folder's lock, recovers, and starts the writer, checkpoint and GC threads.
    /// [`Error::Locked`], [`Error::NewerSchema`], [`Error::Refused`].
    pub fn open(options: Options) -> Result<Self> {
        let store = Self::open_without_gc(options)?;
        let engine = &store.engine;
        let (weak, state) = (Arc::downgrade(engine), Arc::clone(&engine.db.state));
        engine.start("partita-gc", move || gc::run(&weak, &state))?;
        Ok(store)
    }

    /// As [`Store::open`], without the GC thread: its work is done when it is called for.
    pub(super) fn open_without_gc(options: Options) -> Result<Self> {
        let engine = Engine::open(options)?;
        Ok(Self { _life: Arc::new(Life(Arc::clone(&engine))), engine })
    }

    /// Answers jobs in the writer's queue, moves the WAL into the database, marks the run as ended
    /// and stops the threads. Later verbs fail with [`Error::Closed`].
    pub fn close(&self) {
        self.engine.close();
    }

    /// Random bytes, by the sources of the store.
    ///
    /// # Errors
    /// [`Error::Io`](crate::store::Error::Io) when the system's generator cannot be read.
    pub fn random<const N: usize>(&self) -> Result<[u8; N]> {
        self.engine.options.sources.random()
    }

    /// The time now, by the sources of the store. A gateway has no other clock.
    pub fn now(&self) -> Timestamp {
        self.engine.options.sources.now()
    }

    /// Health of the store; cheap enough for a health check.
    pub fn health(&self) -> Health {
        self.engine.health()
    }
}
