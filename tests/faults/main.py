"""Runs the parts and prints one closing line for each; exit code 1 when one fails.

A part that this machine cannot run (no root, no loop device, no tracer) prints SKIPPED and why.
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
    "swallowed syncs": cuts.swallowed_syncs_are_seen,
    "disk full": full.disk_full,
    "system calls": syscalls.system_calls,
}


def main():
    options = arguments()
    # SIGTERM raises SystemExit, so every `finally` and `with` runs.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    volume.own_mounts()
    print(f"SEED={options.seed}", flush=True)
    failed, lines = False, []
    for name in options.parts:
        with tempfile.TemporaryDirectory(prefix="partita-faults-", dir=options.folder) as folder:
            try:
                passed, summary = PARTS[name](options, pathlib.Path(folder))
            except Exception:  # The part has failed; the others still run.
                traceback.print_exc()
                passed, summary = False, "the test broke, see above"
        state = {True: "ok", False: "FAILED", None: "SKIPPED"}[passed]
        lines.append(f"{name}: {state}: {summary}")
        print(lines[-1], flush=True)
        failed = failed or passed is False
    if failed:
        print(f"repeat with: tests/faults/run --seed {options.seed} --cuts {options.cuts}")
    return 1 if failed else 0


def arguments():
    """The options of the command line."""
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
    """A folder in memory, where flushes of the loop device are cheap; the cut is made above it."""
    return "/dev/shm" if pathlib.Path("/dev/shm").is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
