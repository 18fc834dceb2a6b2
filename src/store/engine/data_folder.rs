//! Watch of the data folder: the files that are open must be those that their paths name.
//!
//! SQLite and the writers of blobs write to open files. If the folder is removed, renamed, or
//! covered by another mount, these writes succeed, and the next start finds none of them. So the
//! device and inode of each path are compared with those of the start, each second and by each
//! health check. A difference poisons the store: it acknowledges nothing more.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::blobs::files::Blobs;
use crate::store::db::sqlite::connection::FILE_NAME;
use crate::store::error::{Error, Result};
use crate::store::memory::signal::{Signal, Wakeup};

/// Time between two comparisons.
const COMPARE_EVERY: Duration = Duration::from_secs(1);

/// Paths of the data folder, each with the file that it named at the start.
pub(crate) struct DataFolder {
    files: Vec<(PathBuf, FileId)>,
    /// Ends the watch.
    pub(super) signal: Signal,
}

/// Device and inode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct FileId(u64, u64);

impl FileId {
    fn of(path: &Path) -> io::Result<Self> {
        let found = fs::symlink_metadata(path)?;
        Ok(Self(found.dev(), found.ino()))
    }
}

impl DataFolder {
    /// The folder, its database and log, its lock and its folders of bodies, which are all there.
    ///
    /// # Errors
    /// [`Error::Io`] for a path that is not there.
    pub(super) fn open(data: &Path) -> Result<Self> {
        // A symbolic link is resolved once: where it points to later does not matter.
        let data = data.canonicalize().map_err(|source| Error::io("find", data, source))?;
        let wal = format!("{FILE_NAME}-wal");
        let mut files = Vec::new();
        for name in ["", FILE_NAME, &wal, "lock", "blobs", "segments"] {
            let path = if name.is_empty() { data.clone() } else { data.join(name) };
            let id = FileId::of(&path).map_err(|source| Error::io("find", &path, source))?;
            files.push((path, id));
        }
        Ok(Self { files, signal: Signal::default() })
    }

    /// Poisons the store if a path names another file than at the start, or none. Another error,
    /// such as a lack of memory, says nothing about the folder.
    pub(super) fn compare(&self, blobs: &Blobs) {
        for (path, id) in &self.files {
            let reason = match FileId::of(path) {
                Ok(found) if found == *id => continue,
                Ok(_) => "it is another file than at the start".to_owned(),
                Err(error) if is_absence(&error) => error.to_string(),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(%path, %error, "the data folder cannot be looked at");
                    continue;
                }
            };
            let path = path.display();
            return blobs
                .poison(format!("the data folder was changed under the server: {path}: {reason}"));
        }
    }

    /// The thread that compares. It ends on a stop signal, or when the store is poisoned.
    pub(super) fn watch(&self, blobs: &Blobs) {
        while self.signal.wait(COMPARE_EVERY) != Wakeup::Stop && blobs.poison_reason().is_none() {
            self.compare(blobs);
        }
    }
}

/// True if the error says that the path names nothing.
fn is_absence(error: &io::Error) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound, StaleNetworkFileHandle};
    matches!(error.kind(), NotFound | NotADirectory | StaleNetworkFileHandle)
}
