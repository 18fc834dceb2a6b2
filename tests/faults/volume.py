"""A small ext4 file system on a loop device whose power can be cut.

`cut` asks ext4 to shut down without flushing its journal (the ioctl that file system testers use):
from then on every write fails, and what was not yet synced is lost with the next mount, which
replays the journal. kill -9 cannot show that: the page cache survives it.

Not modelled: a drive that reports a flush which it has not done, or that writes half a sector.
"""

import ctypes
import errno
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess
import time

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
UMOUNT_SECONDS_MAX = 20


def own_mounts():
    """Gives this process and its children a mount name space of their own. Otherwise a container
    that is started while a volume is mounted copies the mount and keeps a cut file system in use,
    so that mounting again finds the old one. Mounts end with this process, even if it is killed."""
    system = ctypes.CDLL(None, use_errno=True)
    if os.geteuid() == 0 and system.unshare(CLONE_NEWNS) == 0:
        system.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)


class Unavailable(Exception):
    """This machine has no such volumes; the text says why."""


class Volume:
    """An image file, its loop device and its mount point below `folder`. Use it with `with`."""

    def __init__(self, folder, mebibytes):
        self.image = pathlib.Path(folder) / "volume.img"
        self.point = pathlib.Path(folder) / "mount"
        self.mebibytes = mebibytes
        self.device = None
        self.mounted = False

    def __enter__(self):
        if os.geteuid() != 0:
            raise Unavailable("only root can mount a loop device")
        for tool in ("losetup", "mkfs.ext4", "mount", "umount"):
            if not shutil.which(tool):
                raise Unavailable(f"{tool} is not installed")
        self.point.mkdir(parents=True, exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(self.mebibytes << 20)
        try:
            self._run("mkfs.ext4", "-q", "-F", "-m", "0", self.image)
            self.device = self._run("losetup", "--find", "--show", self.image).strip()
            self.mount()
        except subprocess.CalledProcessError as error:
            self._release()
            raise Unavailable(f"no loop mount here: {error.stderr.strip()}") from error
        return self

    def __exit__(self, *_):
        self._release()

    def mount(self):
        """Mounts the volume; ext4 replays the journal after a cut."""
        self._run("mount", "-t", "ext4", "-o", "nodiscard,noatime", self.device, self.point)
        self.mounted = True

    def cut(self):
        """Cuts the power."""
        folder = os.open(self.point, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(folder, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(folder)

    def unmount(self):
        """Unmounts the volume; waits for the files of a killed process to be closed."""
        deadline = time.monotonic() + UMOUNT_SECONDS_MAX
        while True:
            done = subprocess.run(["umount", self.point], capture_output=True, text=True)
            if done.returncode == 0:
                self.mounted = False
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"umount {self.point}: {done.stderr.strip()}")
            time.sleep(0.02)

    def remount(self):
        """Unmounts and mounts again."""
        self.unmount()
        self.mount()

    def free_bytes(self):
        """Bytes that can still be written."""
        stat = os.statvfs(self.point)
        return stat.f_bavail * stat.f_frsize

    def _release(self):
        if self.mounted:
            try:
                self.unmount()
            except RuntimeError:
                # A process that still uses the volume must not leave the mount behind.
                subprocess.run(["umount", "--lazy", self.point], check=False)
        if self.device:
            subprocess.run(["losetup", "--detach", self.device], check=False)
            self.device = None

    @staticmethod
    def _run(*words):
        words = [str(word) for word in words]
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def loses_what_is_not_synced(volume):
    """Tests the volume itself: a writer that syncs keeps its file over a cut, one that does not
    sync the file loses its bytes, one that does not sync the folder loses its name. Returns
    complaints."""
    bodies = {}
    for name in ("synced", "file-not-synced", "folder-not-synced"):
        folder = volume.point / f"probe-{name}"
        folder.mkdir()
        _fsync(volume.point)
        bodies[name] = os.urandom(200_000)
    # Writes without a sync come last, so that no later sync of the journal writes them too.
    _write(volume, "synced", bodies, file=True, folder=True)
    _write(volume, "file-not-synced", bodies, file=False, folder=True)
    _write(volume, "folder-not-synced", bodies, file=False, folder=False)
    volume.cut()
    try:
        _write(volume, "synced", bodies, file=True, folder=True)
        return ["a write after the cut succeeded"]
    except OSError as error:
        if error.errno not in (errno.EIO, errno.EROFS, errno.ESHUTDOWN):
            return [f"a write after the cut gave {error}"]
    volume.remount()
    kept = {name: _read(volume, name) == body for name, body in bodies.items()}
    wanted = {"synced": True, "file-not-synced": False, "folder-not-synced": False}
    complaints = [f"after a cut {name}: kept={kept[name]}" for name in wanted
                  if kept[name] != wanted[name]]
    for name in bodies:
        shutil.rmtree(volume.point / f"probe-{name}")
    return complaints


def _write(volume, name, bodies, file, folder):
    path = volume.point / f"probe-{name}" / "body"
    with open(path, "wb", buffering=0) as out:
        out.write(bodies[name])
        if file:
            os.fdatasync(out.fileno())
    if folder:
        _fsync(path.parent)


def _fsync(folder):
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(volume, name):
    path = volume.point / f"probe-{name}" / "body"
    return path.read_bytes() if path.exists() else None
