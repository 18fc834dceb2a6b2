//! Lock of the data folder: one process at a time.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use super::folders;
use crate::store::error::{Error, Result};

/// Holds the data folder for this process until it is dropped. The file stays: removing it would
/// let two processes lock two files of the same name.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

/// Takes `data/lock`, without waiting; the data folder is made and checked first.
/// [`Error::Locked`] when another process (or another `DataLock`) holds it.
pub fn lock(data: &Path) -> Result<DataLock> {
    let root = folders::open_data(data)?;
    let path = data.join("lock");
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(&root, "lock", flags, Mode::RUSR | Mode::WUSR)
        .map_err(|e| Error::io("open", &path, e))?;
    match fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(Error::Locked { path }),
        Err(error) => return Err(Error::io("lock", path, error)),
    }
    let mut file = File::from(file);
    // The number is informative; a full disk must not keep a store from starting.
    let written = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    if let Err(error) = written {
        tracing::warn!(%error, path = %path.display(), "cannot note the process id");
    }
    Ok(DataLock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_until_the_first_is_dropped() {
        let data = tempfile::tempdir().unwrap();
        let data = data.path().join("new/data");
        let first = lock(&data).unwrap();
        let text = std::fs::read_to_string(data.join("lock")).unwrap();
        assert_eq!(text.trim(), std::process::id().to_string());
        assert!(matches!(lock(&data), Err(Error::Locked { path }) if path.ends_with("lock")));
        drop(first);
        lock(&data).unwrap();
    }
}
