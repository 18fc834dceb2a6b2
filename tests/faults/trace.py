"""Reads what `strace -f -y` wrote: calls with the moments when they began and when they returned.

A moment is a line number: the tracer writes a line when it sees the call, before the thread goes
on, so of two calls in a causal chain the lines stand in the right order. A call that others
interrupt is written in two lines, "<unfinished ...>" and "<... resumed>", joined here.
"""

import dataclasses
import re
import shutil
import subprocess

CALLS = ("openat,read,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,ftruncate,"
         "fallocate,fsync,fdatasync,unlinkat")
# Bytes of every text that the tracer shows.
TEXT_SHOWN = 96
SOCKET_READS = ("read", "recvfrom", "recvmsg")
SOCKET_WRITES = ("write", "writev", "sendto", "sendmsg")
FILE_WRITES = ("write", "writev", "pwrite64", "pwritev")
SYNCS = ("fsync", "fdatasync")

_LINE = re.compile(r"^(\d+) +(.*)$")
_UNFINISHED = re.compile(r"^(\w+)\((.*?)\s*<unfinished \.\.\.>$")
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
    # What stands behind the result: the path of a new descriptor, or the error.
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
    """Why nothing can be traced here; empty if it can."""
    if not shutil.which("strace"):
        return "strace is not installed"
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True)
    return "" if done.returncode == 0 else f"tracing is not permitted: {done.stderr.strip()}"


def tracer(output, calls=CALLS, inject=()):
    """The words to put before a command to trace it, with faults injected."""
    words = ["strace", "-f", "-y", "-ttt", "-s", str(TEXT_SHOWN), "-o", str(output), "-e", f"trace={calls}"]
    for rule in inject:
        words += ["-e", f"inject={rule}"]
    return words


def parse(lines):
    """The calls that returned, in the order of their return."""
    calls, open_calls = [], {}
    for moment, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if not found:
            continue
        thread, text = found.groups()
        text = re.sub(r"^\d+\.\d+ ", "", text)
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
    return calls


def _call(thread, name, arguments, began, ended, result, note):
    number = None if result == "?" else int(result)
    return Call(thread, name, arguments, began, ended, number, note.strip())
