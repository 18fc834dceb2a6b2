//! Where the control socket lies: `control.sock` in the data folder.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// The socket's name in the data folder.
const NAME: &str = "control.sock";
/// Longest path that an address of the kernel holds, with room to spare.
const PATH_BYTES_MAX: usize = 100;

/// The path of the socket in a form that the kernel takes.
struct Place {
    path: PathBuf,
    /// Keeps the folder open while the path goes through its descriptor.
    _folder: Option<File>,
}

impl Place {
    fn of(data: &Path) -> io::Result<Self> {
        let path = data.join(NAME);
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

/// Listens on the socket of a data folder. The caller holds the folder's lock, so what lies there
/// is left from a process that has ended.
pub(super) fn listen(data: &Path) -> io::Result<UnixListener> {
    remove(data);
    let place = Place::of(data)?;
    let listener = UnixListener::bind(&place.path)?;
    std::fs::set_permissions(data.join(NAME), std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Whether the other end is a process of our own user.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours)
}

/// Takes the socket away.
pub(super) fn remove(data: &Path) {
    // It may not be there, and a leftover harms nobody.
    let _ = std::fs::remove_file(data.join(NAME));
}

/// Connects to the server that holds a data folder.
pub async fn connect(data: &Path) -> io::Result<UnixStream> {
    let place = Place::of(data)?;
    UnixStream::connect(&place.path).await
}
