"""Disk full: writes are refused with the right code, reads and deletes succeed, deletes make room.

Method: the data folder lies on a small volume. Bodies of falling size are written until the
smallest is refused. Then everything acknowledged is read, half of it is deleted, and writes must
work again without a restart. In the last round the disk is filled to the last byte, and the server
ends and starts again; it must still read and delete. One run has the default of
free-bytes-min, so that the server refuses a write before it begins. In the other it is 0, so that a
write fails in its middle.
"""

import os
import random
import signal
import threading
import time

from model import Model
from s3 import Client
from server import Server, StartFailed
from verify import verify
from volume import Unavailable, Volume
from workload import Writer, make_bucket

VOLUME_MEBIBYTES = 192
RUNS = {"default free-bytes-min": [], "free-bytes-min 0": ["--free-bytes-min", "0"]}
ROUNDS = 3
# From files to bodies in SQLite; random, so that the disk is full in another write of each round.
SIZES = ((2_000_000, 6_000_000), (66_000, 600_000), (20_000, 60_000), (1, 4_000))
REFUSALS = {(507, "InsufficientStorage"), (503, "SlowDown"), (503, "ServiceUnavailable")}
REFUSALS_IN_A_ROW = 3
ROOM_SECONDS_MAX = 60
# A file beside the data folder that takes what is left of the disk.
LAST_BYTES = "last_bytes"


def disk_full(options, folder):
    """Runs the part; returns (passed, summary)."""
    summaries, complaints = [], []
    try:
        for name, flags in RUNS.items():
            with Volume(folder, VOLUME_MEBIBYTES) as volume:
                server = Server(options.binary, volume.point / "data", folder / "log", flags)
                try:
                    filler = _Filler(server.start(), options.seed)
                    found = _fill_and_free(filler, server, volume)
                finally:
                    server.kill()
                complaints += [f"{name}: {line}" for line in found + server.check()]
                summaries.append(f"{name}: {filler.state.acknowledged} acknowledged, "
                            f"refused with {', '.join(sorted(filler.refusals))}")
    except Unavailable as reason:
        return None, str(reason)
    for line in complaints[:40]:
        print("  " + line)
    return not complaints, "; ".join(summaries)


class _Filler(Writer):
    """A writer that goes on after a refusal, and compares refusals with REFUSALS."""

    def __init__(self, server, seed):
        fault_began = threading.Event()
        fault_began.set()
        super().__init__(0, Model(1), server.port, f"full {seed}", threading.Event(), fault_began)
        self.refusals = set()
        self.random = random.Random(f"full {seed}")
        make_bucket(self.client)

    def is_unknown(self, answer, doing):
        """A refusal for lack of room changes nothing, and is the only 5xx that may come."""
        if answer.status < 500:
            return False
        if (answer.status, answer.code) not in REFUSALS:
            self.complaints.append(f"{doing}: {answer}")
        self.refusals.add(f"{answer.status} {answer.code}")
        return True

    def fill(self, prefix):
        """Writes until no size fits any more; returns how many bodies were stored."""
        stored = 0
        for bounds in SIZES:
            refused = 0
            while refused < REFUSALS_IN_A_ROW:
                key = f"{prefix}/{stored}"
                if self.put(bounds, key=key):
                    refused, stored = 0, stored + 1
                else:
                    refused += 1
                    self.state.note_refused(key)
        return stored


def _fill_and_free(filler, server, volume):
    """All rounds over one server; returns complaints."""
    model, complaints = filler.model, filler.complaints
    model.states[0].note_content("never/there", None)
    filler.put((70_000, 70_000), key="kept/file")
    filler.put((3_000, 3_000), key="kept/row")
    for number in range(ROUNDS):
        prefix = f"round-{number}"
        filler.send_create(f"{prefix}/aborted")
        upload = filler.state.open_uploads()[0]
        filler.send_part(upload, 1, filler.content((100_000, 100_000)))
        stored = filler.fill(prefix)
        print(f"  full after {stored} bodies, {volume.free_bytes() >> 10} KiB left", flush=True)
        if number == ROUNDS - 1:
            complaints += _restart_without_room(filler, server, volume)
        complaints += verify(model, server.port).complaints
        # A refused part is not stored, so it does not count as unanswered.
        filler.send_part(upload, 2, filler.content((3_000_000, 3_000_000)))
        upload.unanswered_parts.clear()
        if not filler.send_abort(upload):
            complaints.append("Abort is refused on a full disk")
        for index in range(stored):
            if index % 2 == number % 2 and not filler.change(
                    "DELETE", f"{prefix}/{index}", None, wanted=(204,)):
                complaints.append(f"DELETE {prefix}/{index} is refused on a full disk")
                break
        (volume.point / LAST_BYTES).unlink(missing_ok=True)
        complaints += _room_comes_back(filler, f"{prefix}/after")
        complaints += verify(model, server.port).complaints
        if complaints:
            break
        for index in range(stored):
            filler.change("DELETE", f"{prefix}/{index}", None, wanted=(204,))
        complaints += _room_comes_back(filler, f"{prefix}/after")
    if server.exit_code() is not None:
        complaints.append(f"the server ended with {server.exit_code()}")
    if not any(refusal.startswith("507") for refusal in filler.refusals):
        complaints.append("the disk was never full")
    return complaints


def _restart_without_room(filler, server, volume):
    """Fills the disk with another file, then stops and starts the server."""
    last_bytes = volume.point / LAST_BYTES
    with open(last_bytes, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            os.fsync(file)
    os.kill(server.process.pid, signal.SIGTERM)
    server.process.wait()
    try:
        server.start()
    except StartFailed as failed:
        last_bytes.unlink()
        server.start()
        return [f"on a full disk: {failed}"]
    finally:
        filler.client.close()
        filler.client = Client(server.port)
    return []


def _room_comes_back(filler, key):
    """A large PUT works again after garbage was collected."""
    deadline = time.monotonic() + ROOM_SECONDS_MAX
    while time.monotonic() < deadline:
        if filler.put((5_000_000, 5_000_000), key=key):
            return []
        filler.state.note_refused(key)
        time.sleep(0.1)
    return [f"no room {ROOM_SECONDS_MAX} s after the deletes"]
