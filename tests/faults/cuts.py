"""Power cuts: no acknowledged change is lost, and no unacknowledged one is there in part.

Method: the data folder lies on a volume.Volume; a group of writers works; at a random moment the
volume's power is cut under the running server, which is killed a little later. After the journal's
replay the server starts again, and verify.py compares it with the model. The same is done with a
server whose syncs a tracer swallows: they return 0 and have no effect. That server must lose
something, or this test proves nothing.

Only answers from before the cut count as acknowledged. A sync that runs while ext4 is shut down may
return success without having synced (seen in traces: the log's fsync began within the ioctl,
returned 0, and its bytes were gone). After a real power cut no client would receive that answer.
"""

import random
import time

import strace
from model import Model
from s3 import Client
from server import Server, StartFailed
from verify import Findings, verify
from volume import Unavailable, Volume, loses_what_is_not_synced
from workload import SHARING, WriterGroup, make_bucket

WRITERS = 8
VOLUME_MEBIBYTES = 512
WORK_SECONDS = (0.05, 0.6)
# Longest time from the cut to the kill.
KILL_DELAY_SECONDS_MAX = 0.05
SECONDS_MAX_PER_CUT = 20
CUTS_WITHOUT_SYNCS_MAX = 20
SWALLOWED = {"no sync at all": "fsync,fdatasync", "no fdatasync": "fdatasync"}


def power_cuts(options, folder):
    """Runs the part; returns (passed, summary)."""
    start = time.monotonic()
    try:
        with Volume(folder, VOLUME_MEBIBYTES) as volume:
            complaints = loses_what_is_not_synced(volume)
            if complaints:
                return False, f"the volume does not work as it must: {'; '.join(complaints)}"
            done, model, findings = cut_often(options, folder, volume, options.cuts)
    except Unavailable as reason:
        return None, str(reason)
    for line in findings.complaints[:40]:
        print("  " + line)
    seconds = time.monotonic() - start
    summary = (f"{done} cuts, {model.acknowledged} acknowledged, {findings.lost} lost, "
               f"{seconds:.0f} s")
    return not findings.complaints and done == options.cuts, summary


def cut_often(options, folder, volume, count, tracer=()):
    """Cuts until `count` is reached or something is wrong; then checks every invariant."""
    rng = random.Random(f"cuts {options.seed}")
    model, findings = Model(WRITERS), None
    server = Server(options.binary, volume.point / "data", folder / "server.log", SHARING)
    give_up = time.monotonic() + 60 + count * SECONDS_MAX_PER_CUT
    done = 0
    try:
        server.start(tracer)
        make_bucket(Client(server.port))
        while True:
            complaints = _cut(server, volume, model, options.seed, rng, done == 0)
            done += 1
            findings = _restart_and_verify(server, model, tracer)
            findings.complaints += complaints
            if findings.complaints or done == count:
                break
            if done % 50 == 0:
                print(f"  {done} cuts, {model.acknowledged} acknowledged", flush=True)
            if time.monotonic() > give_up:
                findings.wrong("out of time")
                break
    finally:
        server.kill()
    if not tracer:
        findings.complaints += server.check()
        if findings.complaints:
            print(server.log_end())
    return done, model, findings


def _restart_and_verify(server, model, tracer):
    try:
        server.start(tracer)
        return verify(model, server.port)
    except StartFailed as error:
        findings = Findings()
        findings.loss(str(error))
        return findings


def _cut(server, volume, model, seed, rng, first):
    """One group of writers, one cut; returns complaints about what happened before it."""
    group = WriterGroup(model, server.port, seed)
    least, most = WORK_SECONDS
    time.sleep(rng.uniform(least, most) + (0.2 if first else 0))
    group.fault_began.set()
    volume.cut()
    time.sleep(rng.uniform(0, KILL_DELAY_SECONDS_MAX))
    server.kill()
    complaints = group.end()
    volume.remount()
    return complaints


def swallowed_syncs_are_seen(options, folder):
    """Tests this test: a server without syncs must lose something. Returns (passed, summary)."""
    reason = strace.unavailable()
    if reason:
        return None, reason
    summaries = []
    try:
        for name, calls in SWALLOWED.items():
            tracer = ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", f"trace={calls}",
                      "-e", f"inject={calls}:retval=0"]
            with Volume(folder, VOLUME_MEBIBYTES) as volume:
                done, model, findings = cut_often(options, folder, volume,
                                                  CUTS_WITHOUT_SYNCS_MAX, tracer)
            summaries.append(f"{name}: {findings.lost} of {model.acknowledged} lost, cut {done}")
            if not findings.lost:
                return False, f"{summaries[-1]}: a missing sync is not found"
    except Unavailable as reason:
        return None, str(reason)
    return True, "; ".join(summaries)
