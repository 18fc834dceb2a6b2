"""Order: before the first byte of a 200 is sent, the change that it acknowledges has been synced.

Method: the real server runs under a tracer, requests come one at a time. Between the request's
arrival on a socket and the first byte of the answer on it there must be, in this order:
  a body for a file: all its writes, a sync of the file; if the file is new, a sync of its folder;
  always: writes to SQLite's log, then a sync of the log.
A power cut on ext4 cannot show every missing sync, because one sync often writes what another
should have written; the order of the calls can. The check itself is tested: every trace is altered
in several ways, and each altered trace must fail.
"""

import dataclasses
import pathlib
import re
import shutil
import time

import strace
from documents import complete_document
from model import Content
from s3 import Client
from server import Server
from workload import BUCKET, make_bucket

LOG_SUFFIX = "-wal"
# Folders of bodies that have a file each, and of the segments that bodies share.
BLOBS_FOLDER, SEGMENTS_FOLDER = re.compile(r"/blobs/[0-9a-f]{2}$"), re.compile(r"/segments$")
KEPT_TRACE = pathlib.Path(__file__).resolve().parents[2] / "target" / "faults-order.trace"
QUIET_SECONDS = 0.1
SMALL, MIDDLE, LARGE = 3_000, 70_000, 1_300_000


@dataclasses.dataclass
class Step:
    """One request: the start of its line, and the folder of the file that holds its body."""

    name: str
    line: str
    folder: re.Pattern | None


def order(options, folder):
    """Runs the part; returns (passed, summary)."""
    complaints = check_sample()
    if complaints:
        return False, "; ".join(complaints)
    output = folder / "trace"
    server = Server(options.binary, folder / "data", folder / "server.log")
    reason = strace.unavailable()
    if reason:
        return None, reason
    try:
        client, steps = Client(server.start().port), []
        make_bucket(client)
        calls = strace.attached(server.process.pid, output, lambda: _requests(client, steps))
    finally:
        server.kill()
    altered = 0
    for step in steps:
        faults = check_order(calls, step)
        complaints += [f"{step.name}: {fault}" for fault in faults]
        for how, changed in [] if faults else altered_traces(calls, step):
            altered += 1
            if not check_order(changed, step):
                complaints.append(f"{step.name}: an altered trace passes: {how}")
    for line in complaints:
        print("  " + line)
    if complaints:
        KEPT_TRACE.parent.mkdir(exist_ok=True)
        shutil.copy(output, KEPT_TRACE)
        return False, f"{len(complaints)} complaints, see {KEPT_TRACE}"
    return True, f"{len(steps)} answers follow their syncs; {altered} altered traces are found"


def _requests(client, steps):
    """Sends one request of each kind that changes something; notes the steps."""
    def send(name, method, key, query=None, body=b"", folder=None):
        time.sleep(QUIET_SECONDS)
        answer = client.request(method, f"/{BUCKET}/{key}", query=query, body=body)
        if not 200 <= answer.status < 300:
            raise RuntimeError(f"{name}: {answer} {answer.body!r}")
        words = "&".join(f"{word}={value}" for word, value in sorted((query or {}).items()))
        target = f"/{BUCKET}/{key}" + ("?" + words if words else " ")
        # The tracer shows the beginning of what was read; the id at the end is not needed.
        line = f'"{method} {target}'[: strace.TEXT_SHOWN - 8]
        steps.append(Step(name, line, folder))
        return answer

    def create(key):
        answer = send("CreateMultipartUpload", "POST", key, {"uploads": ""})
        return answer.xml().findtext("UploadId")

    small, middle, large = (Content(((size, size),)).body() for size in (SMALL, MIDDLE, LARGE))
    folders = {small: None, middle: SEGMENTS_FOLDER, large: BLOBS_FOLDER}
    send("PutObject into SQLite", "PUT", "small", body=small)
    send("PutObject into a new segment", "PUT", "middle", body=middle, folder=SEGMENTS_FOLDER)
    send("PutObject into a segment", "PUT", "next", body=middle, folder=SEGMENTS_FOLDER)
    send("PutObject into a file", "PUT", "large", body=large, folder=BLOBS_FOLDER)
    upload, parts = create("joined"), []
    for number, body in ((1, large), (2, middle), (3, small)):
        query = {"partNumber": number, "uploadId": upload}
        answer = send(f"UploadPart {number}", "PUT", "joined", query, body, folder=folders[body])
        parts.append((number, answer.etag))
    send("CompleteMultipartUpload", "POST", "joined", {"uploadId": upload},
         complete_document(sorted(parts)))
    send("AbortMultipartUpload", "DELETE", "other", {"uploadId": create("other")})
    send("DeleteObject", "DELETE", "large")
    send("DeleteObject of a packed body", "DELETE", "middle")


def check_order(calls, step):
    """Faults in the order of this step's calls; empty when it is right."""
    window, answer = _window(calls, step)
    if answer is None:
        return ["there is no such request with an answer"]
    if "HTTP/1.1 2" not in answer.arguments:
        return [f"the answer begins with {answer.arguments[:80]}"]
    faults, ready = [], -1
    made = [call for call in window if _makes_file(call)]
    if any(not step.folder or not step.folder.search(_folder(call.opened)) for call in made):
        return [f"it made {[call.opened for call in made]}"]
    if step.folder:
        writes = [call for call in window if call.name in strace.FILE_WRITES
                  and step.folder.search(_folder(call.path))]
        if len({call.path for call in writes}) != 1:
            return [f"it wrote to {sorted({call.path for call in writes})}"]
        written = max(call.ended for call in writes)
        synced = [_synced(window, lambda path: path == writes[0].path, written)]
        if synced[0] is None:
            faults.append("the file was not synced after its last write")
        if made or step.folder is BLOBS_FOLDER:
            moment = min((call.ended for call in made), default=len(calls))
            synced.append(_synced(window, step.folder.search, moment))
            if synced[1] is None:
                faults.append("the folder was not synced after the file was made")
        ready = max(moment or 0 for moment in synced)
    log_writes = [call for call in window if _is_log(call.path) and call.began > ready
                  and call.name in strace.FILE_WRITES]
    if not log_writes:
        faults.append("nothing was written to the log after the file was synced")
    elif _synced(window, _is_log, min(call.ended for call in log_writes)) is None:
        faults.append("the log was not synced after it was written")
    return faults


def _window(calls, step):
    """The calls that ended between the request's arrival and the answer, and the answer."""
    request = next((call for call in calls if call.name in strace.SOCKET_READS
                    and step.line in call.arguments), None)
    if request is None:
        return [], None
    answer = next((call for call in calls if call.name in strace.SOCKET_WRITES
                   and call.path == request.path and call.began > request.ended), None)
    if answer is None:
        return [], None
    return [c for c in calls if c.began > request.ended and c.ended < answer.began], answer


def _folder(path):
    return str(pathlib.PurePosixPath(path).parent)


def _makes_file(call):
    folder = _folder(call.opened)
    return call.name == "openat" and "O_CREAT" in call.arguments and (
        BLOBS_FOLDER.search(folder) or SEGMENTS_FOLDER.search(folder))


def _is_log(path):
    return path.endswith(LOG_SUFFIX)


def _synced(window, matches, after):
    """The end of the first successful sync of a matching path that began after this moment."""
    return min((call.ended for call in window if call.name in strace.SYNCS and call.result == 0
                and matches(call.path) and call.began > after), default=None)


def altered_traces(calls, step):
    """Traces of servers that are wrong, made from a right one, as (how, calls)."""
    window, answer = _window(calls, step)
    syncs = {}
    for call in window:
        if call.name in strace.SYNCS:
            is_folder = BLOBS_FOLDER.search(call.path) or SEGMENTS_FOLDER.search(call.path)
            role = "log" if _is_log(call.path) else "folder" if is_folder else "file"
            syncs.setdefault(role, []).append(call)
    begin = min(call.began for call in window)
    for role, found in syncs.items():
        if role != "log" and not step.folder:
            continue
        yield f"no sync of the {role}", _without(calls, found)
        yield f"a sync of the {role} that failed", _changed(calls, found, result=-1)
        yield f"a sync of the {role} after the answer", _changed(
            calls, found, began=answer.ended + 1, ended=answer.ended + 2)
        yield f"a sync of the {role} before anything was written", _changed(
            calls, found, began=begin, ended=begin)
    writes = [c for c in window if _is_log(c.path) and c.name in strace.FILE_WRITES]
    yield "nothing written to the log", _without(calls, writes)


def _without(calls, some):
    return [call for call in calls if not any(call is other for other in some)]


def _changed(calls, some, **fields):
    return [dataclasses.replace(call, **fields) if any(call is other for other in some) else call
            for call in calls]


SAMPLE = """\
7 recvfrom(9<socket:[5]>, "PUT /b/k HTTP/1.1\\r\\n", 8192, 0, NULL, NULL) = 200
8 openat(4</d/blobs>, "a-b", O_WRONLY|O_CREAT, 0600) = 12</d/blobs/0f/a-b>
8 pwrite64(12</d/blobs/0f/a-b>, "x"..., 70000, 0) = 70000
8 fdatasync(12</d/blobs/0f/a-b> <unfinished ...>
7 recvfrom(9<socket:[5]>, 0x7f, 8192, 0, NULL, NULL) = -1 EAGAIN (Resource unavailable)
8 <... fdatasync resumed>) = 0
8 fsync(11</d/blobs/0f>) = 0
9 pwrite64(3</d/m.db-wal>, "y"..., 4120, 32 <unfinished ...>
7 read(5<anon_inode:[eventfd]>, 0x7f, 8) = -1 EAGAIN (Resource unavailable)
9 <... pwrite64 resumed>) = 4120
9 fsync(3</d/m.db-wal>) = 0
7 writev(9<socket:[5]>, [{iov_base="HTTP/1.1 200 OK\\r\\n"..., iov_len=90}], 1) = 90
"""


def check_sample():
    """Tests the parser and the check on a trace written by hand; needs no tracer."""
    step, lines = Step("sample", '"PUT /b/k ', BLOBS_FOLDER), SAMPLE.splitlines()
    complaints = [f"the sample is right, but: {fault}"
                  for fault in check_order(strace.parse(lines), step)]
    for number, line in enumerate(lines):
        if "sync" not in line or "resumed" in line:
            continue
        fewer = [other for other in lines if other is not line
                 and not ("unfinished" in line and "fdatasync resumed" in other)]
        if not check_order(strace.parse(fewer), step):
            complaints.append(f"the sample is right without line {number + 1}")
        failed = [other.replace(") = 0", ") = -1 EIO (error)") if "sync" in other else other
                  for other in lines]
        if not check_order(strace.parse(failed), step):
            complaints.append("the sample is right with failed syncs")
    return complaints
