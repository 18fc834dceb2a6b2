//! Files of earlier runs in a data folder that is not open yet.

use std::fs::DirEntry;
use std::io;
use std::path::Path;

use rustix::fs::{self, AtFlags, CWD};

use super::folders::MODIFIED_NOW;
use super::name::SegmentName;
use crate::store::error::{Error, Result};

/// True if a data folder holds the bytes of any blob. Stops at the first.
pub fn holds_any(data: &Path) -> Result<bool> {
    if entries(&data.join("segments"))?.next().is_some() {
        return Ok(true);
    }
    for folder in entries(&data.join("blobs"))? {
        let path = folder.path();
        if path.is_dir() && entries(&path)?.next().is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Number of the newest run that made a segment; 0 if none did. Segments in quarantine count. A
/// database that was restored from a backup does not know that run. Its number must not be used
/// again, else new segments would replace those.
pub fn newest_run(data: &Path) -> Result<u64> {
    let run =
        |entry: DirEntry| SegmentName::parse(entry.file_name().to_str()?).map(|name| name.run);
    let found = entries(&data.join("segments"))?.chain(entries(&data.join("quarantine"))?);
    Ok(found.filter_map(run).max().unwrap_or(0))
}

/// Restarts the waiting time of gaps in segments of the runs that `is_new` selects. A database that
/// does not know that a run has ended may be restored from a backup. Then it lacks rows of just
/// these segments, however long ago they were written.
pub fn renew_gaps(data: &Path, is_new: impl Fn(u64) -> Result<bool>) -> Result<()> {
    for entry in entries(&data.join("segments"))? {
        let Some(name) = entry.file_name().to_str().and_then(SegmentName::parse) else { continue };
        if !is_new(name.run)? {
            continue;
        }
        let path = entry.path();
        fs::utimensat(CWD, &path, &MODIFIED_NOW, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| Error::io("touch", path, error))?;
    }
    Ok(())
}

/// Entries of a folder; none if it does not exist.
fn entries(path: &Path) -> Result<impl Iterator<Item = DirEntry> + use<>> {
    match std::fs::read_dir(path) {
        Ok(entries) => Ok(Some(entries).into_iter().flatten().flatten()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Ok(None.into_iter().flatten().flatten())
        }
        Err(error) => Err(Error::io("read", path, error)),
    }
}
