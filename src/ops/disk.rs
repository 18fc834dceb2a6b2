//! The file's side of a body: one unit is hashed and written on the blocking pool while the next
//! one arrives.
//!
//! **Invariant:** the file of a body that broke off or did not verify is unlinked on the blocking
//! pool: to remove gigabytes takes long, and the threads that serve requests never wait for a disk.

use bytes::BytesMut;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::digest::Hasher;
use crate::store::{self, BlobWriter};
use crate::wire::{Error, ErrorCode, Result};

type Work = Box<(BlobWriter, Hasher)>;

/// A blob's file and the digests of what is in it.
pub struct Disk(State);

enum State {
    Idle(Work),
    /// If nobody waits for it any more, what it gives back is dropped where it runs.
    Busy(JoinHandle<store::Result<Work>>),
    Given,
}

impl Disk {
    /// A file that was just begun.
    pub fn new(writer: BlobWriter, hasher: Hasher) -> Self {
        Self(State::Idle(Box::new((writer, hasher))))
    }

    /// Waits for the unit before and begins to hash and write this one.
    ///
    /// # Errors
    /// What the store said of the unit before.
    pub async fn write(self, unit: BytesMut) -> Result<Self> {
        let (mut writer, mut hasher) = self.idle().await?;
        Ok(Self(State::Busy(tokio::task::spawn_blocking(move || {
            hasher.update(&unit);
            writer.write(&unit)?;
            Ok(Box::new((writer, hasher)))
        }))))
    }

    /// Waits for the last unit; the caller sees to the file from here on.
    ///
    /// # Errors
    /// What the store said of it.
    pub async fn idle(mut self) -> Result<(BlobWriter, Hasher)> {
        match std::mem::replace(&mut self.0, State::Given) {
            State::Idle(work) => Ok(*work),
            State::Busy(task) => match task.await {
                Ok(work) => Ok(*work?),
                Err(panic) => Err(Error::new(ErrorCode::InternalError).caused_by(panic)),
            },
            State::Given => unreachable!("only this function gives it away, and it takes self"),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let State::Idle(work) = std::mem::replace(&mut self.0, State::Given) {
            unlink(work.0);
        }
    }
}

/// Drops an unfinished file, which unlinks it, where waiting is allowed.
pub fn unlink(writer: BlobWriter) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(writer))),
        // The runtime is gone: nobody is served any more.
        Err(_) => drop(writer),
    }
}
