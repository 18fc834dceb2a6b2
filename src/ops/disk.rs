//! The file's side of a body: one unit is hashed and written on the blocking pool, both at once,
//! while the next one arrives.
//!
//! **Invariant:** the file of a body that broke off or did not verify is unlinked on the blocking
//! pool: to remove gigabytes takes long, and the threads that serve requests never wait for a disk.

use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::digest::Hasher;
use crate::store::{self, BlobWriter};
use crate::wire::{Error, ErrorCode, Result};

/// A blob's file and the digests of what is in it.
pub struct Disk {
    /// To hash a body costs as much as to write it, so a single upload gains from a second core.
    hasher: Side<Box<Hasher>>,
    writer: Side<store::Result<BlobWriter>>,
}

/// One of the two, at rest or at work.
enum Side<T> {
    Idle(T),
    /// If nobody waits for it any more, what it gives back is dropped where it runs.
    Busy(JoinHandle<T>),
    Given,
}

impl<T: Send + 'static> Side<T> {
    /// Waits for the work under way.
    async fn take(&mut self) -> Result<T> {
        match std::mem::replace(self, Self::Given) {
            Self::Idle(rest) => Ok(rest),
            Self::Busy(task) => {
                task.await.map_err(|panic| Error::new(ErrorCode::InternalError).caused_by(panic))
            }
            Self::Given => Err(Error::new(ErrorCode::InternalError)),
        }
    }

    fn work(work: impl FnOnce() -> T + Send + 'static) -> Self {
        Self::Busy(tokio::task::spawn_blocking(work))
    }
}

impl Disk {
    /// A file that was just begun.
    pub fn new(writer: BlobWriter, hasher: Hasher) -> Self {
        Self { hasher: Side::Idle(Box::new(hasher)), writer: Side::Idle(Ok(writer)) }
    }

    /// Waits for the unit before and begins to hash and write this one.
    ///
    /// # Errors
    /// What the store said of the unit before.
    pub async fn write(&mut self, unit: BytesMut) -> Result<()> {
        let unit = unit.freeze();
        let mut hasher = self.hasher.take().await?;
        let hashed: Bytes = unit.clone();
        self.hasher = Side::work(move || {
            hasher.update(&hashed);
            hasher
        });
        let mut writer = self.writer.take().await??;
        self.writer = Side::work(move || writer.write(&unit).map(|()| writer));
        Ok(())
    }

    /// Waits for the last unit; the caller sees to the file from here on.
    ///
    /// # Errors
    /// What the store said of it.
    pub async fn idle(mut self) -> Result<(BlobWriter, Hasher)> {
        let hasher = self.hasher.take().await?;
        Ok((self.writer.take().await??, *hasher))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Side::Idle(Ok(writer)) = std::mem::replace(&mut self.writer, Side::Given) {
            unlink(writer);
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
