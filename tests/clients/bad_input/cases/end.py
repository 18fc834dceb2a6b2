"""Full disks, and what must be true when all else has run."""

import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
from urllib.parse import quote, unquote

from bad_input.case import Case
from bad_input.server import Gateway
from bad_input.signing import SIGNATURES
from bad_input.values import (
    ANSWER_SECONDS_MAX,
    BUCKET,
    CANARY,
    INLINE_BYTES_MAX,
    KIB,
    LARGE,
    MIB,
    PACKED_BYTES_MAX,
    ROOT,
    STRANGER,
    UNSIGNED,
)
from bad_input.wire import Answer, Skipped, StepFailed


def on_small_disk(disk_mib, free_bytes_min, then):
    """Runs `then` with a server whose folder is on a disk of its own."""
    def run(g):
        if os.geteuid() != 0:
            raise Skipped("only root can mount a small disk")
        folder = pathlib.Path(tempfile.mkdtemp(dir=g.folder))
        mount = ["mount", "-t", "tmpfs", "-o", f"size={disk_mib}m", "tmpfs", str(folder)]
        if subprocess.run(mount, capture_output=True).returncode != 0:
            raise Skipped("mounting is not allowed here")
        try:
            small = Gateway(g.binary, folder, "--free-bytes-min", free_bytes_min)
            try:
                small.must(200, "PUT", f"/{BUCKET}")
                answer = then(small)
            finally:
                small.stop()
            checked = small.command("check", "--blocks", "--data", small.data)
            if checked.returncode != 0:
                raise StepFailed(f"check: {checked.stdout}{checked.stderr}")
            return answer
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    return run


def fill(g):
    """A full disk: refused writes leave nothing, reads and deletes work, freed room is usable."""
    names, body = [], bytes(MIB)
    while (refused := g.ask("PUT", f"/{BUCKET}/{len(names)}", body)).status == 200:
        names.append(f"/{BUCKET}/{len(names)}")
    if len(names) < 10:
        raise StepFailed(f"only {len(names)} MiB fit on the disk")
    if g.must(200, "GET", names[0]).body != body:
        raise StepFailed("a read on the full disk gave other bytes")
    if g.ask("PUT", f"/{BUCKET}/refused", body).status == 200:
        raise StepFailed("one write was refused, the next accepted")
    for name in names[:8]:
        g.must(204, "DELETE", name)
    end = time.monotonic() + ANSWER_SECONDS_MAX
    while g.ask("PUT", f"/{BUCKET}/after", body).status != 200:
        if time.monotonic() > end:
            raise StepFailed("no write is accepted after the deletes")
        time.sleep(0.1)
    if (count := len(g.must(200, "GET", f"/{BUCKET}").xml("Key"))) != len(names) - 8 + 1:
        raise StepFailed(f"the list has {count} keys")
    return refused


def stall(g):
    """A body that stalls reserves its own room once, and frees it when the connection ends."""
    data = g.signed("PUT", f"/{BUCKET}/refused", bytes(40 * MIB), payload=UNSIGNED)
    with socket.create_connection(("127.0.0.1", g.port), ANSWER_SECONDS_MAX) as peer:
        peer.sendall(data[:MIB])
        time.sleep(1.5)  # The gateway reads the free space once a second.
        g.must(200, "PUT", f"/{BUCKET}/beside", bytes(8 * MIB))
        refused = g.ask("PUT", f"/{BUCKET}/refused", bytes(40 * MIB))
    time.sleep(1.5)
    g.must(200, "PUT", f"/{BUCKET}/after", bytes(40 * MIB))
    return refused


def last_list(g):
    """The list shows exactly the accepted objects, by name and by bytes."""
    target, listed = f"/{BUCKET}?list-type=2&encoding-type=url", []
    answer = g.must(200, "GET", target)
    listed = [unquote(key) for key in answer.xml("Key")]
    if sorted(listed) != sorted(g.stored):
        raise StepFailed(f"listed and stored differ in {sorted(set(listed) ^ set(g.stored))}")
    for name, body in g.stored.items():
        if g.must(200, "GET", f"/{BUCKET}/{quote(name, '/')}").body != body:
            raise StepFailed(f"{name!r} has other bytes")
    return Answer(200, message=f"{len(listed)} objects, byte-equal")


def last_upload(g):
    """The upload is open after every bad Complete; a good one, sent twice, completes it."""
    parts = g.must(200, "GET", f"/{BUCKET}/joined?uploadId={g.upload}").xml("PartNumber")
    if parts != ["1", "2"]:
        raise StepFailed(f"the upload has the parts {parts}")
    first, second = g.complete((2, g.etags[2])), g.complete((2, g.etags[2]))
    if first.status == 200:
        g.stored["joined"] = LARGE
    if (first.status, first.body) != (second.status, second.body):
        raise StepFailed(f"the second Complete answers otherwise: {second.status} {second.code}")
    return first


OPAQUE = re.compile(r"lock|ballast|quarantine|root-credentials|control\.sock|partita\.db[a-z-]*|"
                    r"blobs(/[0-9a-f]{2}(/[0-9a-f]{8}-[0-9a-f]{32})?)?|"
                    r"segments(/[0-9a-f]{8}-[0-9a-f]{8})?")


def extent_bytes(key, body):
    """Bytes that a body has in a segment: pages of 4 KiB, with the trailer; 0 if it has none."""
    if not INLINE_BYTES_MAX < len(body) <= PACKED_BYTES_MAX:
        return 0
    checksums = 4 * (-(-len(body) // (64 * KIB)) + 1)
    return -(-(len(body) + checksums + 214 + len(key.encode())) // (4 * KIB)) * 4 * KIB


def data_bytes(path):
    """Bytes of a file outside holes."""
    count, at = 0, 0
    with open(path, "rb") as file:
        while True:
            try:
                data = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:  # No data after this offset.
                return count
            at = os.lseek(file.fileno(), data, os.SEEK_HOLE)
            count += at - data


def last_names(g):
    """No name on the disk comes from a client, and no refused body is left."""
    wanted = (sum(len(body) > PACKED_BYTES_MAX for body in g.stored.values()),
              sum(extent_bytes(key, body) for key, body in g.stored.items()))
    end = time.monotonic() + ANSWER_SECONDS_MAX
    while True:
        names = [str(path.relative_to(g.data)) for path in sorted(g.data.rglob("*"))]
        files = [name for name in names if (g.data / name).is_file()]
        blobs = [name for name in files if name.startswith("blobs/")]
        segments = [name for name in files if name.startswith("segments/")]
        found = len(blobs), sum(data_bytes(g.data / name) for name in segments)
        if found == wanted:
            break
        if time.monotonic() > end:
            raise StepFailed(f"(files, bytes in segments) are {found}, not {wanted}")
        time.sleep(0.1)  # Garbage is collected after the answers.
    strange = [name for name in names if not OPAQUE.fullmatch(name)]
    if strange:
        raise StepFailed(f"names that are not opaque: {strange[:5]}")
    fixed = [name for name in files if name not in blobs]
    return Answer("opaque", message=f"{wanted[0]} like {blobs[-1]}, and {' '.join(fixed)}")


def last_log(g):
    """The log holds no secret, no signature, no body and no panic."""
    log = g.log.read_text(errors="replace")
    secrets = {ROOT.secret, STRANGER.secret, CANARY} | SIGNATURES
    lines = [line for line in log.splitlines()
             if "panic" in line or any(secret in line for secret in secrets)]
    if lines:
        raise StepFailed(f"{len(lines)} lines, the first is {lines[0][:200]}")
    return Answer("clean", message=f"{len(log.splitlines())} lines, {len(secrets)} secrets sought")


def last_check(g, *flags):
    done = g.command("check", "--data", g.data, *flags)
    return Answer(f"exit {done.returncode}", message=(done.stdout + done.stderr).strip())


CASES = [
    Case("disk full, to the last byte", on_small_disk(48, 0, fill), 507, "InsufficientStorage"),
    Case("disk full, at the watermark", on_small_disk(128, 64 * MIB, fill),
         507, "InsufficientStorage"),
    Case("disk half full of a body that stalls", on_small_disk(80, 0, stall),
         507, "InsufficientStorage"),
    Case("end: the upload is whole and completes", last_upload, 200),
    Case("end: Complete of another list", lambda g: g.complete((1, g.etags[1])),
         404, "NoSuchUpload"),
    Case("end: a part after Complete", lambda g: g.put(target=g.part(3)), 404, "NoSuchUpload"),
    Case("end: Abort after Complete", lambda g: g.ask(
         "DELETE", f"/{BUCKET}/joined?uploadId={g.upload}"), 404, "NoSuchUpload"),
    Case("end: list and bytes are what was accepted", last_list, 200),
    Case("end: no bucket that was refused", lambda g: g.ask("HEAD", "/refused-bucket"), 404),
    Case("end: the folder holds opaque names", last_names, "opaque"),
    Case("end: check of the live server", last_check, "exit 0"),
    Case("end: SIGTERM", lambda g: Answer(f"exit {g.stop()}"), "exit 0"),
    Case("end: check of the folder, every block", lambda g: last_check(g, "--blocks"), "exit 0"),
    Case("end: the log holds no secret and no panic", last_log, "clean"),
]
