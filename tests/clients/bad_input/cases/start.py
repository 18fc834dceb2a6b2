"""Servers that do not start: each says why in one line."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from bad_input.case import Case
from bad_input.server import environment
from bad_input.values import ANSWER_SECONDS_MAX, ROOT, Key
from bad_input.wire import Answer, Skipped, StepFailed


def startup(*flags, data=None, key=ROOT, uid=None, file=None, kind="one line"):
    """Starts another server that must fail; `flags` and `data` may be functions of `g`.

    The code is `one line` when standard error is one line of the gateway, and `usage` for the
    message of the parser of the command line.
    """
    def run(g):
        folder = pathlib.Path(tempfile.mkdtemp(dir=g.folder))
        os.chmod(folder, 0o755)
        given = [flag(g) if callable(flag) else flag for flag in flags]
        if file is not None:
            (folder / "config.toml").write_text(file)
            given += ["--config", folder / "config.toml"]
        path = data(g, folder) if data else folder / "data"
        given += [] if "--listen" in given else ["--listen", "127.0.0.1:0"]
        command = [binary_for(g, uid), "serve", "--data", path, *given]
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True,
                                  timeout=ANSWER_SECONDS_MAX, env=environment(key), user=uid,
                                  cwd=folder)
        except subprocess.TimeoutExpired:
            raise StepFailed("it started, or hangs") from None
        lines = done.stderr.strip().splitlines() or [""]
        code = f"{len(lines)} lines"
        if lines[0].startswith("error: "):
            code = "usage"
        elif len(lines) == 1 and lines[0].startswith("partita: "):
            code = "one line"
        return Answer(f"exit {done.returncode}", code, lines[0].replace(str(g.folder), "…"))
    return run


def binary_for(g, uid):
    """A copy of the binary that another user can run."""
    if uid is None:
        return g.binary
    if os.geteuid() != 0:
        raise Skipped("only root can run it as another user")
    copy = g.folder / "partita"
    if not copy.exists():
        shutil.copy(g.binary, copy)
        copy.chmod(0o755)
        os.chmod(g.folder, 0o755)
    return copy


def folder_of(uid, mode):
    """A data folder with an owner and a mode."""
    def make(_, folder):
        path = folder / "data"
        path.mkdir()
        if os.geteuid() == 0:
            os.chown(path, uid, -1)
        path.chmod(mode)
        return path
    return make


def file_as_folder(_, folder):
    (folder / "file").write_text("not a folder")
    return folder / "file"


CASES = [
    Case("start: port in use", startup("--listen", lambda g: g.host), "exit 1", "one line"),
    Case("start: second server on the folder", startup(data=lambda g, _: g.data),
         "exit 1", "one line"),
    Case("start: unknown flag", startup("--no-such-setting", "1"), "exit 2", "usage"),
    Case("start: unknown setting in the file", startup(file="no-such-setting = 1\n"),
         "exit 2", "one line"),
    Case("start: file is not TOML", startup(file="= [\n"), "exit 2", "one line"),
    Case("start: no such file", startup("--config", "missing.toml"), "exit 2", "one line"),
    Case("start: bad value of a flag", startup("--part-bytes-min", "0"), "exit 2", "one line"),
    Case("start: bad value in the file", startup(file='log-format = "loud"\n'),
         "exit 2", "one line"),
    Case("start: listen address is nonsense", startup("--listen", "nonsense"),
         ("exit 1", "exit 2"), "one line"),
    Case("start: certificate without key", startup("--tls-cert", "a.pem"), "exit 2", "one line"),
    Case("start: no such certificate", startup("--tls-cert", "a.pem", "--tls-key", "b.pem"),
         "exit 1", "one line"),
    Case("start: half of root's credentials", startup(key=Key("ONLYTHEID", "")),
         "exit 2", "one line"),
    Case("start: root's secret too short", startup(key=Key("ROOT", "short")),
         "exit 2", "one line"),
    Case("start: data is a file", startup(data=file_as_folder), "exit 1", "one line"),
    Case("start: data belongs to another user", startup(data=folder_of(0, 0o755), uid=65534),
         "exit 1", "one line"),
    Case("start: data is not writable", startup(
         data=folder_of(65534, 0o500), uid=None if os.geteuid() else 65534),
         "exit 1", "one line"),
    Case("start: data below a folder of root's", startup(
         data=lambda _, folder: folder / "data", uid=65534), "exit 1", "one line"),
]
