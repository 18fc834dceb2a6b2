"""System call faults: no 200 for a change that is lost, no hang, no damage, a clean restart.

Method: a tracer attached to the running server fails the Nth call of one kind in every thread,
once ("N") or always from then on ("N+"), or kills the process there, while one client goes through
every kind of change. Each change must end in a true 200, a 5xx or a broken connection; a process
that exits must not exit with 0. Two checks follow. One reads the trace: after a failed
sync no change may be acknowledged, because the kernel has dropped the pages and a second sync
proves nothing. The other compares the restarted server with the model and checks every invariant.
"""

import re
import shutil
import threading

import strace
from model import Model
from s3 import Broken, TooSlow
from server import Server
from verify import verify
from workload import LARGE_BYTES, SHARED, SHARING, SMALL_BYTES, Writer, make_bucket

RULES = (
    ("fsync", "error=EIO"), ("fdatasync", "error=EIO"),
    ("pwrite64", "error=ENOSPC"), ("pwrite64", "error=EIO"),
    ("pwritev", "error=ENOSPC"), ("pwritev", "error=EIO"),
    ("fallocate", "error=ENOSPC"), ("fallocate", "error=EIO"), ("openat", "error=EMFILE"),
    ("unlinkat", "error=EIO"), ("ftruncate", "error=EIO"),
    ("fsync", "signal=KILL"), ("fdatasync", "signal=KILL"), ("pwrite64", "signal=KILL"),
    ("pwritev", "signal=KILL"), ("fallocate", "signal=KILL"), ("unlinkat", "signal=KILL"),
)
FEW = ("1", "2", "1+", "3+")
# Files that are synced before an answer. The database file is not one of them: a checkpoint syncs
# it, and SQLite repeats a checkpoint as a whole.
DURABLE_FILES = re.compile(r"(-wal|/blobs/[0-9a-f]{2}(/[^/]+)?|/segments(/[^/]+)?)$")


def system_calls(options, folder):
    """Runs the part; returns (passed, summary)."""
    reason = strace.unavailable()
    if reason:
        return None, reason
    runs, faults, complaints = 0, 0, []
    rules = _rules(options, folder)
    for rule in rules:
        runs += 1
        hit, found = _run(options, folder / str(runs), rule)
        shutil.rmtree(folder / str(runs))
        faults += hit
        complaints += found
        for line in found:
            print(f"  {rule}: {line}", flush=True)
        if runs % 100 == 0:
            print(f"  {runs} of {len(rules)} runs", flush=True)
    summary = f"{runs} runs, {faults} calls failed, {len(complaints)} complaints"
    return not complaints and faults > 0, summary


def _rules(options, folder):
    """A few rules of each kind; with --all every N that a thread reaches."""
    if not options.all:
        return [f"{call}:{action}:when={when}" for call, action in RULES for when in FEW]
    most = _count(options, folder)
    return [f"{call}:{action}:when={n}{ever}" for call, action in RULES
            for ever in ("", "+") for n in range(1, most.get(call, 0) + 1)]


class _AllChanges(Writer):
    """Makes every kind of change once, whatever the outcome of each."""

    def __init__(self, server, model):
        super().__init__(0, model, server.port, "calls", threading.Event(), threading.Event())

    def prepare(self):
        """Stores what must survive the faults."""
        make_bucket(self.client)
        for key in ("kept", "replaced", "deleted"):
            self.put(SMALL_BYTES, key=f"{key} small")
            self.put(LARGE_BYTES, key=f"{key} large")
        for key in ("joined", "dropped", "stays open"):
            self.send_create(key)
            self.send_part(self.state.uploads[-1], 1, self.content(LARGE_BYTES))
        joined = self.state.uploads[0]
        self.send_part(joined, 2, self.content(LARGE_BYTES))
        joined.with_digest = True
        for key in ("known", "known too"):
            self.put_content(key, SHARED[0])
        self.send_create_deduplicated("stored", SHARED[0])
        self.fault_began.set()

    def put_content(self, key, content):
        """PutObject with these bytes."""
        return self.change("PUT", key, content, body=content.body())

    def changes(self):
        """Each kind of change, on keys of its own: an unanswered one does not affect the others."""
        joined, dropped, stays, stored = self.state.uploads
        yield lambda: self.put(SMALL_BYTES, key="new small")
        yield lambda: self.put(LARGE_BYTES, key="new large")
        yield lambda: self.put(LARGE_BYTES, key="replaced small")
        yield lambda: self.put(SMALL_BYTES, key="replaced large")
        yield lambda: self.send_part(stays, 1, self.content(SMALL_BYTES))
        yield lambda: self.send_part(stays, 2, self.content(LARGE_BYTES))
        yield lambda: self.send_complete(joined)
        yield lambda: self.send_abort(dropped)
        yield lambda: self.send_create("one more")
        yield lambda: self.put_content("stored once", SHARED[0])
        yield lambda: self.put_content("known too", SHARED[0])
        yield lambda: self.send_part(stays, 3, SHARED[0])
        yield lambda: self.send_digest(stays, 4, SHARED[0])
        yield lambda: self.send_complete(stored)
        yield lambda: self.send_create_deduplicated("stored too", SHARED[0])
        yield lambda: self.change("DELETE", "known", None, wanted=(204,))
        yield lambda: self.change("DELETE", "deleted small", None, wanted=(204,))
        yield lambda: self.change("DELETE", "deleted large", None, wanted=(204,))
        yield lambda: self.put(LARGE_BYTES, key="last large")
        yield lambda: self.put(SMALL_BYTES, key="last small")

    def try_all(self):
        """Makes all changes."""
        for change in self.changes():
            try:
                change()
            except TooSlow as error:
                self.complaints.append(str(error))
            except Broken:
                pass


def _run(options, folder, rule):
    """One server, one fault; returns the number of failed calls and complaints."""
    folder.mkdir()
    model = Model(1)
    server = Server(options.binary, folder / "data", folder / "log", SHARING)
    try:
        writer = _AllChanges(server.start(), model)
        writer.prepare()
        calls = strace.attached(server.process.pid, folder / "trace", writer.try_all, [rule])
        complaints = writer.complaints
        if server.exit_code() == 0:
            complaints.append("the server exited with code 0")
        server.kill()
        hits = sum("INJECTED" in call.note for call in calls)
        complaints += _answers_after_failed_sync(calls)
        server.start()
        complaints += verify(model, server.port).complaints
    finally:
        server.kill()
    complaints += server.check()
    if complaints:
        print(server.log_end())
    killed = "KILL" in rule and server.exit_code() is not None
    return hits or int(killed), complaints


def _answers_after_failed_sync(calls):
    """Changes that were acknowledged after a failed sync of a file in DURABLE_FILES."""
    failed = [call for call in calls if call.name in strace.SYNCS and call.result == -1
              and DURABLE_FILES.search(call.path)]
    if not failed:
        return []
    first, found, asked = failed[0], [], {}
    for call in calls:
        request = re.search(r'"(PUT|POST|DELETE) \S*', call.arguments)
        if call.name in strace.SOCKET_READS and request:
            asked[call.path] = request.group(0)
        elif (call.name in strace.SOCKET_WRITES and call.began > first.ended
              and "HTTP/1.1 2" in call.arguments and call.path in asked):
            found.append(f"{asked[call.path]} was acknowledged after {first.name} of "
                         f"{first.path} had failed")
    return found


def _count(options, folder):
    """The largest number of each call in one thread: the last N that can have an effect."""
    folder = folder / "count"
    folder.mkdir()
    server = Server(options.binary, folder / "data", folder / "log", SHARING)
    try:
        writer = _AllChanges(server.start(), Model(1))
        writer.prepare()
        calls = strace.attached(server.process.pid, folder / "trace", writer.try_all)
    finally:
        server.kill()
    counts = {}
    for call in calls:
        counts[call.name, call.thread] = counts.get((call.name, call.thread), 0) + 1
    most = {}
    for (name, _), count in counts.items():
        most[name] = max(most.get(name, 0), count)
    return most
