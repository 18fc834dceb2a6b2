//! Ballast: a file that reserves disk space. It is removed when the disk is full, so that deletes,
//! aborts and checkpoints have room.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::store::error::{Error, Result};

/// Bytes of the file.
pub(crate) const BALLAST_BYTES: u64 = 16 << 20;
/// Free bytes below which a store cannot be opened: SQLite makes its index of the WAL anew, maps it
/// into memory, and is killed (SIGBUS) where the disk has no room behind the map.
const OPEN_BYTES_MIN: u64 = 8 << 20;
/// Bytes written at once.
const CHUNK_BYTES: usize = 64 << 10;

/// The file `ballast` in the data folder.
pub(crate) struct Ballast {
    path: PathBuf,
    /// True if the file exists.
    there: Mutex<bool>,
}

impl Ballast {
    pub(crate) fn new(data: &std::path::Path) -> Self {
        let path = data.join("ballast");
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == BALLAST_BYTES);
        Self { path, there: Mutex::new(there) }
    }

    /// True if the file exists. False while it is being written or removed.
    pub(crate) fn is_there(&self) -> bool {
        self.there.try_lock().is_some_and(|there| *there)
    }

    /// Removes the file; true if it existed.
    pub(crate) fn free(&self) -> bool {
        let mut there = self.there.lock();
        let freed = *there && fs::remove_file(&self.path).is_ok();
        *there &= !freed;
        freed
    }

    /// Removes the file when too little space is free to open the database.
    pub(crate) fn make_room_to_open(&self) -> Result<()> {
        let data = self.path.parent().expect("the ballast lies in the data folder");
        let stat = rustix::fs::statvfs(data).map_err(|e| Error::io("measure", data, e))?;
        if stat.f_bavail.saturating_mul(stat.f_frsize) < OPEN_BYTES_MIN {
            let freed = self.free();
            tracing::warn!(freed, "the disk is full");
        }
        Ok(())
    }

    /// Makes the file if it is not there. Its bytes are written, not only promised, for a file
    /// system may count holes as free.
    pub(crate) fn restore(&self) -> Result<()> {
        let mut there = self.there.lock();
        if *there {
            return Ok(());
        }
        let made = self.write();
        if made.is_err() {
            // Half a ballast is of no use; a missing file is no error.
            let _ = fs::remove_file(&self.path);
        }
        *there = made.is_ok();
        made
    }

    fn write(&self) -> Result<()> {
        let failed = |source: std::io::Error| Error::io("write", &self.path, source);
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&self.path)
            .map_err(failed)?;
        // Not zeros: a file system with compression would store nothing.
        let chunk: Vec<u8> = (0..CHUNK_BYTES).map(|i| ((i * i) >> 3) as u8).collect();
        for _ in 0..BALLAST_BYTES / CHUNK_BYTES as u64 {
            file.write_all(&chunk).map_err(failed)?;
        }
        Ok(())
    }
}
