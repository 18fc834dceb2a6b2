"""Runs the parts of the fault rig and prints one closing line for each; exit 1 when one fails.

A part that this machine cannot run (no root, no loop device, no tracer) says SKIPPED and why.
"""

import argparse
import pathlib
import random
import signal
import sys
import tempfile
import traceback

import cuts
import full
import gateway
import order
import syscalls
import volume

PARTS = {
    "order": order.order,
    "power cuts": cuts.power_cuts,
    "blind server": cuts.blind_server_loses,
    "disk full": full.disk_full,
    "system calls": syscalls.system_calls,
}


def main():
    options = arguments()
    # So that every `finally` and `with` runs when somebody ends the rig.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    volume.own_mounts()
    print(f"SEED={options.seed}", flush=True)
    failed, lines = False, []
    for name in options.parts:
        with tempfile.TemporaryDirectory(prefix="partita-faults-", dir=options.folder) as folder:
            try:
                passed, summary = PARTS[name](options, pathlib.Path(folder))
            except Exception:  # A part that breaks has failed; the others still run.
                traceback.print_exc()
                passed, summary = False, "the rig broke, see above"
        state = {True: "ok", False: "FAILED", None: "SKIPPED"}[passed]
        lines.append(f"{name}: {state}: {summary}")
        print(lines[-1], flush=True)
        failed = failed or passed is False
    if failed:
        print(f"replay: tests/faults/run --seed {options.seed} --cuts {options.cuts}")
    return 1 if failed else 0


def arguments():
    """What the caller wants."""
    parser = argparse.ArgumentParser(prog="tests/faults/run", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--binary", help="the gateway; without it cargo builds one")
    parser.add_argument("--cuts", type=int, default=100, help="number of power cuts")
    parser.add_argument("--all", action="store_true", help="every N of every system call")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--folder", default=_memory(), help="where images and data are put")
    options = parser.parse_args()
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown or options.cuts < 1:
        parser.error(f"no such part: {unknown}" if unknown else "at least one cut")
    options.parts = options.parts or list(PARTS)
    options.binary = str(pathlib.Path(options.binary or gateway.build()).resolve())
    return options


def _memory():
    """A disk in memory makes the flushes of the loop device cheap; the cut is above it anyway."""
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
