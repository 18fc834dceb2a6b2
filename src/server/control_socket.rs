//! Control socket: `control.sock` in the data folder, for commands of the folder's owner.
//!
//! **Invariants**
//! - The socket file has mode 0600, and every peer is checked to be a process of the same user.
//! - Only the process that holds the folder's lock listens, so a file found there is a leftover.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Name of the socket in the data folder.
const NAME: &str = "control.sock";
/// Longest path that is used directly, in bytes. The kernel's limit is 107.
const PATH_BYTES_MAX: usize = 100;

/// Path of the socket, short enough for the kernel.
struct SocketPath {
    path: PathBuf,
    /// Keeps the folder open while the path leads through its descriptor.
    _folder: Option<File>,
}

impl SocketPath {
    fn in_folder(data: &Path) -> io::Result<Self> {
        let path = data.join(NAME);
        if path.as_os_str().as_bytes().len() <= PATH_BYTES_MAX {
            return Ok(Self { path, _folder: None });
        }
        let folder = File::open(data)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd()));
        Ok(Self { path, _folder: Some(folder) })
    }
}

/// Listens on the socket of a data folder whose lock the caller holds. Replaces a leftover file.
pub(super) fn listen(data: &Path) -> io::Result<UnixListener> {
    remove(data);
    let socket = SocketPath::in_folder(data)?;
    let listener = UnixListener::bind(&socket.path)?;
    std::fs::set_permissions(data.join(NAME), std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// True if the peer is a process of this process's user.
pub(super) fn is_ours(stream: &UnixStream) -> bool {
    let ours = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == ours)
}

/// Removes the socket file, if there is one.
pub(super) fn remove(data: &Path) {
    // A file that stays is replaced by the next start.
    let _ = std::fs::remove_file(data.join(NAME));
}

/// Connects to the server that holds a data folder.
///
/// # Errors
/// Errors of the system: NotFound or ConnectionRefused when no server runs.
pub async fn connect(data: &Path) -> io::Result<UnixStream> {
    let socket = SocketPath::in_folder(data)?;
    UnixStream::connect(&socket.path).await
}
