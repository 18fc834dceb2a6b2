"""Runs and parses `strace -f -y`: calls with the moments when they began and when they returned.

A moment is a line number: the tracer writes a line when it sees the call, before the thread goes
on, so a line is after the lines of the calls that caused it. A call that other calls interrupt is
written in two lines, "<unfinished ...>" and "<... resumed>", joined here.
"""

import dataclasses
import pathlib
import re
import shutil
import subprocess
import time

CALLS = ("openat,read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,ftruncate,"
         "fallocate,fsync,fdatasync,unlinkat")
ATTACH_SECONDS_MAX = 20
DETACH_SECONDS_MAX = 5
# The tracer writes the line a moment after the client has the last answer.
SETTLE_SECONDS = 0.05
# Bytes of every text that the tracer shows.
TEXT_SHOWN = 96
SOCKET_READS = ("read", "recvfrom", "recvmsg")
SOCKET_WRITES = ("write", "writev", "sendto", "sendmsg")
FILE_WRITES = ("write", "writev", "pwrite64", "pwritev")
SYNCS = ("fsync", "fdatasync")

_LINE = re.compile(r"^(\d+) +(.*)$")
_UNFINISHED = re.compile(r"^(\w+)\((.*?)\s*<(?:unfinished|detached) \.\.\.>$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>\s?(.*)$")
_WHOLE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$")
_REST = re.compile(r"^(.*)\)\s+= (-?\d+|\?)(.*)$")
_DESCRIPTOR = re.compile(r"^\d+<(.*?)>(?:\(deleted\))?(?:,|$)")


@dataclasses.dataclass
class Call:
    """One system call of one thread."""

    thread: str
    name: str
    arguments: str
    began: int
    ended: int
    result: int | None
    # The text behind the result: the path of a new descriptor, or the error.
    note: str

    @property
    def path(self):
        """The path or socket of its first argument, a descriptor."""
        found = _DESCRIPTOR.match(self.arguments)
        return found.group(1) if found else ""

    @property
    def opened(self):
        """The path that an open gave a descriptor for."""
        found = re.match(r"<(.*)>", self.note)
        return found.group(1) if found else ""


def unavailable():
    """The reason why nothing can be traced here; empty if something can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"tracing is not permitted: {done.stderr.strip()}"


def attached(process, output, work, inject=()):
    """Runs `work` while every thread of the process is traced and these faults are injected;
    returns the calls. The process may end meanwhile."""
    words = ["strace", "-f", "-y", "-s", str(TEXT_SHOWN), "-o", str(output),
             "-e", f"trace={CALLS}", "-p", str(process)]
    for rule in inject:
        words += ["-e", f"inject={rule}"]
    tracer = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + ATTACH_SECONDS_MAX
        while not _is_traced(process):
            if tracer.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the tracer does not attach")
            time.sleep(0.01)
        work()
        time.sleep(SETTLE_SECONDS)
    finally:
        # The tracer detaches and writes the rest of its output. If it has killed the process
        # itself, it sometimes never ends.
        tracer.terminate()
        try:
            tracer.wait(DETACH_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            tracer.kill()
            tracer.wait()
    return parse(pathlib.Path(output).read_text(errors="replace").splitlines())


def _is_traced(process):
    """True if every thread has its tracer."""
    states = [task / "status" for task in pathlib.Path(f"/proc/{process}/task").iterdir()]
    return not any("TracerPid:\t0\n" in state.read_text() for state in states)


def parse(lines):
    """The calls in the order of their return; last those that were not seen to return."""
    calls, open_calls = [], {}
    for moment, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if not found:
            continue
        thread, text = found.groups()
        if unfinished := _UNFINISHED.match(text):
            open_calls[thread] = (unfinished.group(1), unfinished.group(2), moment)
        elif resumed := _RESUMED.match(text):
            name, arguments, began = open_calls.pop(thread, (resumed.group(1), "", moment))
            rest = _REST.match(resumed.group(2))
            if rest:
                arguments += rest.group(1)
                calls.append(_call(thread, name, arguments, began, moment, *rest.groups()[1:]))
        elif whole := _WHOLE.match(text):
            name, arguments, result, note = whole.groups()
            calls.append(_call(thread, name, arguments, moment, moment, result, note))
    for thread, (name, arguments, began) in open_calls.items():
        calls.append(_call(thread, name, arguments, began, len(lines), "?", ""))
    return calls


def _call(thread, name, arguments, began, ended, result, note):
    number = None if result == "?" else int(result)
    return Call(thread, name, arguments, began, ended, number, note.strip())
