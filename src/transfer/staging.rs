//! File of a body that is being received: while a chunk arrives, the one before is hashed and
//! written, both at once.
//! MD5 takes as long as everything else together, so it runs on its own
//! ([`crate::limits::md5_pool`]), and what else is computed goes with the writing.
//!
//! **Invariant:** the file of a body that broke off or did not verify is unlinked on the blocking
//! pool: to remove gigabytes takes long, and the threads that serve requests never wait for a disk.

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::digest::lanes::Md5Lane;
use crate::digest::{Digests, HasherWithoutMd5, WantedDigests};
use crate::limits::md5_pool::{Hashed, Md5Pool};
use crate::store::{self, AdmittedWriter};
use crate::wire::{Error, ErrorCode, Result};

/// A blob's file and the digests of what is in it.
pub struct StagingFile {
    at: At,
    md5: Md5Pool,
}

/// The blob's file, and all digests of what was written to it but MD5.
type File = Box<(AdmittedWriter, HasherWithoutMd5)>;

enum At {
    Rest(Md5Lane, File),
    Work(Hashed, JoinHandle<store::Result<File>>),
    /// Given to the caller, or lost by a failure.
    Gone,
}

impl StagingFile {
    /// A file that was just begun.
    pub fn new(writer: AdmittedWriter, want: WantedDigests, md5: Md5Pool) -> Self {
        let file = Box::new((writer, HasherWithoutMd5::new(want)));
        Self { at: At::Rest(Md5Lane::default(), file), md5 }
    }

    /// Waits for the chunk before and begins to hash and write this one.
    ///
    /// # Errors
    /// The store's error for the chunk before.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let (lane, mut file) = self.rest().await?;
        let hashed = self.md5.begin(lane, chunk.clone());
        let written = tokio::task::spawn_blocking(move || {
            let (writer, others) = &mut *file;
            others.update(&chunk);
            writer.write(&chunk).map(|()| file)
        });
        self.at = At::Work(hashed, written);
        Ok(())
    }

    /// Waits for the last chunk; the caller sees to the file from here on.
    ///
    /// # Errors
    /// The store's error for it.
    pub async fn finish(mut self) -> Result<(AdmittedWriter, Digests)> {
        let (lane, file) = self.rest().await?;
        let (writer, others) = *file;
        Ok((writer, others.finish(lane.finish())))
    }

    /// Waits for the work under way. What is not waited for to the end stays [`At::Work`].
    async fn rest(&mut self) -> Result<(Md5Lane, File)> {
        if let At::Work(hashed, written) = &mut self.at {
            let lane = hashed.wait().await?;
            let written = written.await;
            self.at = At::Gone;
            let panicked = |panic| Error::new(ErrorCode::InternalError).caused_by(panic);
            return Ok((lane, written.map_err(panicked)??));
        }
        match std::mem::replace(&mut self.at, At::Gone) {
            At::Rest(lane, file) => Ok((lane, file)),
            At::Work(..) | At::Gone => Err(Error::new(ErrorCode::InternalError)),
        }
    }
}

impl Drop for StagingFile {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.at, At::Gone) {
            At::Rest(_, file) => unlink(file.0),
            At::Work(_, written) => {
                // The result of a task that has ended would be dropped here.
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async move {
                        if let Ok(Ok(file)) = written.await {
                            unlink(file.0);
                        }
                    });
                }
            }
            At::Gone => {}
        }
    }
}

/// Drops an unfinished file, which unlinks it, where waiting is allowed.
pub fn unlink(writer: AdmittedWriter) {
    match Handle::try_current() {
        Ok(runtime) => drop(runtime.spawn_blocking(move || drop(writer))),
        // Without a runtime no request is served any more.
        Err(_) => drop(writer),
    }
}
