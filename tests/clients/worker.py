"""Runs the checks of one Python client file: `worker.py CLIENT_FILE CONTEXT_FILE CHECK...`.

It runs in the client's own environment and prints one JSON line for each check. A client file has
one function for each check that it can do, or `there_and_back` for those of round_trips.py; a check
without a function is not applicable.
"""

import importlib.util
import json
import sys
import traceback

import round_trips
from context import CheckFailed, Context


def main():
    client_file, context_file, *checks = sys.argv[1:]
    spec = importlib.util.spec_from_file_location("client", client_file)
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    context = Context(context_file)
    there_and_back = getattr(client, "there_and_back", None)
    functions = (round_trips.checks(there_and_back) if there_and_back else {}) | vars(client)
    for check in checks:
        function = functions.get(check)
        result = {"check": check, "state": "n/a", "detail": ""}
        if function:
            result |= run_check(function, context)
        print(json.dumps(result), flush=True)


def run_check(function, context):
    """Runs one check; any exception is its failure."""
    try:
        function(context)
        return {"state": "ok"}
    except CheckFailed as error:
        return {"state": "FAIL", "detail": str(error)}
    except Exception as error:  # A client may raise anything; the next check still runs.
        where = traceback.extract_tb(error.__traceback__)
        line = next((f.lineno for f in reversed(where) if "clients/clients" in f.filename), 0)
        return {"state": "FAIL", "detail": f"line {line}: {type(error).__name__}: {error}"[:900]}


main()
