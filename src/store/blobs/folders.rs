//! Folders of the data folder: created, checked, opened, synced.
//!
//! **Invariants**
//! - Every folder is 0700 and belongs to the user of the process.
//! - The entries of the fan-out folders are on disk before the first blob is created.
//! - Every path is opened relative to an open folder. No symbolic link below the data folder is
//!   followed.

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{self, AtFlags, CWD, Dir, FileType, Mode, OFlags};
use rustix::io::{Errno, pwritev};

use super::folder_sync::FolderSync;
use super::name::{BlobName, FolderEntry, SegmentName};
use crate::store::error::{Error, Result};
use crate::types::Timestamp;

const FOLDER_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Sets the time of modification to now.
pub(super) const MODIFIED_NOW: fs::Timestamps = fs::Timestamps {
    last_access: fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_OMIT },
    last_modification: fs::Timespec { tv_sec: 0, tv_nsec: fs::UTIME_NOW },
};

/// System calls that durability depends on. Tests replace them, to count and to fail.
pub(super) struct Syncs {
    /// fdatasync of the file of a blob, or of a segment.
    pub(super) file: SyncCall,
    /// fsync of a fan-out folder, or of that of the segments.
    pub(super) folder: SyncCall,
    /// pwritev into a segment.
    pub(super) append: AppendCall,
}

type SyncCall = Box<dyn Fn(BorrowedFd<'_>) -> io::Result<()> + Send + Sync>;
type AppendCall =
    Box<dyn Fn(BorrowedFd<'_>, &[IoSlice<'_>], u64) -> rustix::io::Result<usize> + Send + Sync>;

impl Default for Syncs {
    fn default() -> Self {
        Self {
            file: Box::new(|fd| Ok(fs::fdatasync(fd)?)),
            folder: Box::new(|fd| Ok(fs::fsync(fd)?)),
            append: Box::new(|fd, slices, offset| pwritev(fd, slices, offset)),
        }
    }
}

/// One fan-out folder.
pub(super) struct Folder {
    pub(super) fd: OwnedFd,
    pub(super) sync: FolderSync,
}

/// `blobs/` with its 256 folders, `segments/`, and `quarantine/`.
pub(super) struct Folders {
    data: PathBuf,
    root: OwnedFd,
    blobs: OwnedFd,
    segments: OwnedFd,
    quarantine: OwnedFd,
    /// Opened at their first use and kept: the kernel reports a failed write-back only to
    /// descriptors that were open. A small store does not hold 256 descriptors.
    fan_out: [OnceLock<Folder>; 256],
}

impl Folders {
    /// Makes and syncs what is missing, and opens the rest.
    pub(super) fn open(data: &Path) -> Result<Self> {
        let root = open_data(data)?;
        let blobs = make_below(&root, "blobs", &data.join("blobs"))?;
        let segments = make_below(&root, "segments", &data.join("segments"))?;
        let quarantine = make_below(&root, "quarantine", &data.join("quarantine"))?;
        for index in 0..=u8::MAX {
            match fs::mkdirat(&blobs, folder_name(index), Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(Error::io("make", data.join("blobs"), error)),
            }
        }
        // Also when no folder was created here: the run that created it may have crashed before
        // this.
        fs::fsync(&blobs).map_err(|e| Error::io("sync", data.join("blobs"), e))?;
        fs::fsync(&root).map_err(|e| Error::io("sync", data, e))?;
        let fan_out = std::array::from_fn(|_| OnceLock::new());
        Ok(Self { data: data.to_owned(), root, blobs, segments, quarantine, fan_out })
    }

    /// The data folder.
    pub(super) fn data(&self) -> &Path {
        &self.data
    }

    /// The data folder, open.
    pub(super) fn root(&self) -> &OwnedFd {
        &self.root
    }

    /// The folder of the segments, open.
    pub(super) fn segments(&self) -> &OwnedFd {
        &self.segments
    }

    /// The fan-out folder of a blob.
    pub(super) fn of(&self, name: BlobName) -> Result<&Folder> {
        let slot = &self.fan_out[usize::from(name.folder())];
        if let Some(folder) = slot.get() {
            return Ok(folder);
        }
        let path = self.data.join("blobs").join(folder_name(name.folder()));
        let fd = fs::openat(&self.blobs, folder_name(name.folder()), FOLDER_FLAGS, Mode::empty())
            .map_err(|e| Error::io("open", path, e))?;
        // Of two threads that open it at once, one closes its descriptor again.
        Ok(slot.get_or_init(|| Folder { fd, sync: FolderSync::new() }))
    }

    /// Path of a blob, for messages only.
    pub(super) fn path(&self, name: BlobName) -> PathBuf {
        self.data.join("blobs").join(folder_name(name.folder())).join(name.to_string())
    }

    /// Path of a segment, for messages only.
    pub(super) fn segment_path(&self, name: SegmentName) -> PathBuf {
        self.data.join("segments").join(name.to_string())
    }

    /// Moves the file of a blob to `quarantine/`.
    pub(super) fn quarantine(&self, name: BlobName) -> Result<()> {
        self.move_to_quarantine(&self.of(name)?.fd, &name.to_string())
            .map_err(|error| Error::io("quarantine", self.path(name), error))
    }

    /// Moves a segment to `quarantine/`.
    pub(super) fn quarantine_segment(&self, name: SegmentName) -> Result<()> {
        // No blob has a name of this form.
        self.move_to_quarantine(&self.segments, &name.to_string())
            .map_err(|error| Error::io("quarantine", self.segment_path(name), error))
    }

    fn move_to_quarantine(&self, from: &OwnedFd, file: &str) -> rustix::io::Result<()> {
        // The time of modification becomes the time of the quarantine: that of a blob is not used.
        let moved = fs::utimensat(from, file, &MODIFIED_NOW, AtFlags::SYMLINK_NOFOLLOW)
            .and_then(|()| fs::renameat(from, file, &self.quarantine, file));
        // No fsync: after a power cut the file is in one of the two folders, and either is correct.
        match moved {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Deletes files that were quarantined before `older_than`; gives their number.
    pub(super) fn empty_quarantine(&self, older_than: Timestamp) -> Result<u64> {
        let path = self.data.join("quarantine");
        let mut removed = 0;
        each_entry(&self.quarantine, &path, |file, kind, stat| {
            // Rounded up to the next second, so that nothing is deleted too early.
            let seconds = u64::try_from(stat.st_mtime).unwrap_or(0).saturating_add(1);
            let since = Timestamp::from_millis(seconds.saturating_mul(1000));
            if kind != FileType::RegularFile || since >= older_than {
                return Ok(());
            }
            match fs::unlinkat(&self.quarantine, file, AtFlags::empty()) {
                Ok(()) => removed += 1,
                Err(Errno::NOENT) => {}
                Err(error) => return Err(Error::io("remove", path.join(file), error)),
            }
            Ok(())
        })?;
        Ok(removed)
    }

    /// Calls `each` for everything below `blobs/` and `segments/`, in no order, and stops at its first
    /// error. Files made or removed meanwhile may or may not be seen.
    pub(super) fn scan(&self, mut each: impl FnMut(FolderEntry) -> Result<()>) -> Result<()> {
        let relative = Path::new("blobs");
        let top = self.data.join(relative);
        let mut present = Vec::with_capacity(256);
        each_entry(&self.blobs, &top, |file, kind, _| {
            let index = (0..=u8::MAX).find(|&index| file == OsStr::new(&folder_name(index)));
            match index {
                Some(index) if kind == FileType::Directory => present.push(index),
                _ => each(FolderEntry::Foreign(relative.join(file)))?,
            }
            Ok(())
        })?;
        for index in present {
            let relative = relative.join(folder_name(index));
            let path = self.data.join(&relative);
            let folder = fs::openat(&self.blobs, folder_name(index), FOLDER_FLAGS, Mode::empty())
                .map_err(|e| Error::io("open", &path, e))?;
            each_entry(&folder, &path, |file, kind, stat| {
                let name = file.to_str().and_then(BlobName::parse);
                each(match name.filter(|name| name.folder() == index) {
                    Some(name) if kind == FileType::RegularFile => {
                        FolderEntry::Blob(name, u64::try_from(stat.st_size).unwrap_or(0))
                    }
                    _ => FolderEntry::Foreign(relative.join(file)),
                })
            })?;
        }
        let relative = Path::new("segments");
        each_entry(&self.segments, &self.data.join(relative), |file, kind, _| {
            let name = file.to_str().and_then(SegmentName::parse);
            each(match name {
                Some(name) if kind == FileType::RegularFile => FolderEntry::Segment(name),
                _ => FolderEntry::Foreign(relative.join(file)),
            })
        })
    }
}

/// Calls `each` for the entries of a folder, without `.` and `..` and what vanishes meanwhile.
fn each_entry(
    folder: impl AsFd,
    path: &Path,
    mut each: impl FnMut(&OsStr, FileType, &fs::Stat) -> Result<()>,
) -> Result<()> {
    let mut entries = Dir::read_from(&folder).map_err(|e| Error::io("list", path, e))?;
    while let Some(entry) = entries.read() {
        let entry = entry.map_err(|e| Error::io("list", path, e))?;
        let file = OsStr::from_bytes(entry.file_name().to_bytes());
        if file == "." || file == ".." {
            continue;
        }
        match fs::statat(&folder, file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => each(file, FileType::from_raw_mode(stat.st_mode), &stat)?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(Error::io("look at", path.join(file), error)),
        }
    }
    Ok(())
}

/// Creates the data folder (0700) and its parents if need be, and opens it. A folder of another
/// user, or one that others may write to, is refused: anybody who can put a file there could serve
/// it.
pub(super) fn open_data(data: &Path) -> Result<OwnedFd> {
    make_data(data)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = fs::open(data, flags, Mode::empty()).map_err(|e| Error::io("open", data, e))?;
    let stat = fs::fstat(&fd).map_err(|e| Error::io("look at", data, e))?;
    if stat.st_uid != rustix::process::geteuid().as_raw() {
        let owner = stat.st_uid;
        return Err(Error::Refused(format!(
            "the data folder {} belongs to user id {owner}: run as that user",
            data.display()
        )));
    }
    if stat.st_mode & 0o022 != 0 {
        return Err(Error::Refused(format!(
            "others may write to the data folder {}: run `chmod go-w` on it or name one inside it",
            data.display()
        )));
    }
    Ok(fd)
}

fn make_data(data: &Path) -> Result<()> {
    let above = match data.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => return Ok(()), // The root of the file system is there.
    };
    let mut made = fs::mkdir(data, Mode::RWXU);
    if made == Err(Errno::NOENT) {
        make_data(above)?;
        made = fs::mkdir(data, Mode::RWXU);
    }
    match made {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::io("make", data, error)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    match fs::openat(CWD, above, flags, Mode::empty()) {
        Ok(fd) => fs::fsync(fd).map_err(|e| Error::io("sync", above, e)),
        // The folder is not readable, and nothing was created in it.
        Err(_) if made.is_err() => Ok(()),
        Err(error) => Err(Error::io("open", above, error)),
    }
}

fn make_below(root: &OwnedFd, name: &str, path: &Path) -> Result<OwnedFd> {
    match fs::mkdirat(root, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(Error::io("make", path, error)),
    }
    fs::openat(root, name, FOLDER_FLAGS, Mode::empty()).map_err(|e| Error::io("open", path, e))
}

fn folder_name(index: u8) -> String {
    format!("{index:02x}")
}
