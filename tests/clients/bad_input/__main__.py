"""Runs the cases, prints a line for each, and exits with 0 when everything is as expected.

The standard library is all that is needed. Some cases need root (mounts, another user) and are
SKIPPED without it.
"""


import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree

import bad_input
import gateway
from bad_input.cases import TABLE
from bad_input.server import Gateway
from bad_input.wire import Answer, Skipped, StepFailed


def run_case(case, g):
    """Runs one case; returns its answer and what is wrong with it."""
    wanted = [value if isinstance(value, tuple) else (value,) for value in (case.status, case.code)]
    try:
        answer = case.how(g)
    except Skipped as why:
        return Answer("SKIPPED", message=str(why)), ""
    except StepFailed as failure:
        return Answer("surprise", message=str(failure)), str(failure)
    except (OSError, subprocess.SubprocessError, ElementTree.ParseError) as error:
        return Answer("failed", message=repr(error)), repr(error)
    if answer.fault:
        return answer, answer.fault
    if answer.status not in wanted[0] or answer.code not in wanted[1]:
        return answer, " ".join("/".join(map(str, values)) for values in wanted) + " expected"
    return answer, ""


def run(g, only, as_json):
    wrong = skipped = 0
    if not as_json:
        print(f"{'case':45} | {'status':7} | {'code':33} | {'message':80} | as expected?")
    for case in (case for case in TABLE if only in case.name):
        answer, fault = run_case(case, g)
        wrong, skipped = wrong + bool(fault), skipped + (answer.status == "SKIPPED")
        if as_json:
            print(json.dumps({"case": case.name, "status": answer.status, "code": answer.code,
                              "message": answer.message, "fault": fault}))
            continue
        message = " ".join(answer.message.split())[:80]
        print(f"{case.name:45} | {answer.status!s:7} | {answer.code:33} | {message:80} | "
              f"{f'NO: {fault}' if fault else 'yes'}", flush=True)
    print(f"{wrong} not as expected, {skipped} skipped", file=sys.stderr)
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(prog="tests/clients/bad_input/run",
                                     description=bad_input.__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; built when not given")
    parser.add_argument("--only", default="", help="run only the cases whose name holds this")
    parser.add_argument("--json", action="store_true", help="print one JSON document for each case")
    arguments = parser.parse_args()
    binary = pathlib.Path(arguments.binary or gateway.build()).resolve()
    with tempfile.TemporaryDirectory(prefix="bad-input-") as folder:
        g = Gateway(binary, pathlib.Path(folder))
        try:
            g.prepare()
            return run(g, arguments.only, arguments.json)
        finally:
            if g.process.poll() is None:
                g.stop()


if __name__ == "__main__":
    sys.exit(main())
