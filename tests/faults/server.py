"""One server process over one data folder: start, kill, start again, check.

The process has a session of its own, so that a tracer in front of it is killed with it.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

START_SECONDS_MAX = 60
CHECK_SECONDS_MAX = 300
ACCESS_KEY, SECRET_KEY = "FAULTTESTSACCESSKEY", "secret-of-the-fault-tests"


class StartFailed(Exception):
    """The server ended before it listened; `code` is its exit code."""

    def __init__(self, code, text):
        self.code = code
        super().__init__(f"the server ended with {code} before it listened: {text[-2000:]}")


class Server:
    """The real binary. Small parts are allowed, so that uploads need few bytes."""

    def __init__(self, binary, data, log, flags=()):
        self.binary = str(binary)
        self.data = pathlib.Path(data)
        self.log = pathlib.Path(log)
        self.flags = ["--part-bytes-min", "1", "--access-log", "false", *flags]
        self.process = None
        self.port = 0

    def start(self, tracer=()):
        """Starts the server, below `tracer` if given, and waits for the line with its port."""
        command = [*tracer, self.binary, "serve", "--data", str(self.data),
                   "--listen", "127.0.0.1:0", *self.flags]
        environment = os.environ | {
            "PARTITA_ROOT_ACCESS_KEY_ID": ACCESS_KEY,
            "PARTITA_ROOT_SECRET_ACCESS_KEY": SECRET_KEY,
        }
        before = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            ended = self.process.poll()
            text = self.log.read_bytes()[before:].decode(errors="replace")
            found = re.search(r"listening on https?://[^\s:]+:(\d+)", text)
            if found:
                self.port = int(found.group(1))
                return self
            if ended is not None:
                raise StartFailed(ended, text)
            time.sleep(0.01)
        self.kill()
        raise RuntimeError(f"no port after {START_SECONDS_MAX} s, see {self.log}")

    def exit_code(self):
        """The exit code; None while the server runs."""
        return self.process.poll()

    def kill(self):
        """Sends SIGKILL to the server and its tracer, if they still run."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def check(self):
        """The complaints of `partita check`; empty when all invariants hold."""
        command = [self.binary, "check", "--blocks", "--data", str(self.data)]
        done = subprocess.run(command, text=True, capture_output=True, timeout=CHECK_SECONDS_MAX)
        if done.returncode == 0:
            return []
        text = (done.stdout + done.stderr).strip()
        return [f"check ended with {done.returncode}: {text[-4000:]}"]

    def log_end(self):
        """The end of its log, for messages."""
        return self.log.read_bytes()[-3000:].decode(errors="replace") if self.log.exists() else ""
