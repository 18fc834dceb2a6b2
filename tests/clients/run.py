"""Runs real S3 clients against the real gateway and prints client x transport x check.

The clients are rows of table.py: a name, what to install, and the file with the checks. Each client
runs in its own environment, in a worker process, over http and over TLS, in a bucket of its own.
Exit code 1 when a check fails; a client that cannot be installed here is skipped with the reason.
"""

import argparse
import json
import os
import pathlib
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import gateway
from install import CACHE, Installed, NotAvailable, install
from raw import Raw
from table import CHECKS, CLIENTS

HERE = pathlib.Path(__file__).resolve().parent
CLIENT_SECONDS_MAX = 900
BIG_BYTES = 21_000_003  # Over 20 MB, of several parts everywhere, and no multiple of a part size.
PIECE_BYTES = 1 << 26  # No fixture but the huge one is larger.
HUGE_BYTES = 420_000_007  # More parts of 5 MiB than fifty connections send at once.


def main():
    options = parse_options()
    clients = [client for client in CLIENTS if chosen(client, options)]
    if not clients:
        sys.exit(f"no client of that name; there are: {' '.join(c.name for c in CLIENTS)}")
    work = pathlib.Path(tempfile.mkdtemp(prefix="partita-clients-"))
    try:
        rows = run_all(clients, options, work)
    finally:
        if options.keep:
            print(f"kept: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)
    sys.exit(1 if report(rows) else 0)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fast", action="store_true", help="only the clients that CI runs")
    parser.add_argument("--newest", action="store_true", help="the unpinned clients too")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this client")
    parser.add_argument("--check", action="append", choices=CHECKS, help="only this check")
    parser.add_argument("--pause-seconds", type=float, default=60, metavar="S",
                        help="how long the check `pause` pauses (default: 60)")
    parser.add_argument("--transport", choices=("http", "tls"), help="only this transport")
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; built when not given")
    parser.add_argument("--endpoint", help="a server that runs on this machine already; its keys "
                        "come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    parser.add_argument("--ca-file", type=pathlib.Path, help="what signed an https --endpoint")
    parser.add_argument("--cache", type=pathlib.Path, default=CACHE, help="where clients are kept")
    parser.add_argument("--keep", action="store_true", help="keep the scratch folder")
    return parser.parse_args()


def chosen(client, options):
    if options.only:
        return client.name in options.only
    return (client.fast or not options.fast) and (options.newest or not client.newest)


def run_all(clients, options, work):
    """Installs, starts the servers, runs every client; returns one row for each run."""
    installed = {}
    for client in clients:
        try:
            installed[client] = install(client.name, client.recipe, options.cache)
        except NotAvailable as reason:
            installed[client] = str(reason)
    # A pause takes a minute for each client, so the fast run has none unless asked.
    checks = options.check or [check for check in CHECKS if not (options.fast and check == "pause")]
    files = make_files(work / "files", checks)
    rows = []
    wanted = [options.transport] if options.transport else ["http", "tls"]
    if options.endpoint:
        wanted = ["tls" if options.endpoint.startswith("https:") else "http"]
    for transport in wanted:
        with server(options, transport, work) as target:
            for client in clients:
                rows.append(run_client(client, installed[client], transport, target, files,
                                       checks, options.pause_seconds, work))
                print_row(rows[-1])
    return rows


def make_files(folder, checks):
    """Writes the fixtures: the same bytes in every run."""
    folder.mkdir(parents=True)
    source = random.Random(20260101)
    sizes = {"small": 1_000, "empty": 0, "big": BIG_BYTES}
    if "pause" in checks:
        sizes["huge"] = HUGE_BYTES
    for name, size in sizes.items():
        with open(folder / name, "wb") as file:
            for begin in range(0, size, PIECE_BYTES):
                file.write(source.randbytes(min(PIECE_BYTES, size - begin)))
    return {name: str(folder / name) for name in sizes}


def server(options, transport, work):
    """The gateway for one transport, as a context manager."""
    if options.endpoint:
        return ForeignServer(options.endpoint, options.ca_file)
    if options.binary is None:
        options.binary = gateway.build()
    certificates = gateway.make_certificates(work / "tls") if transport == "tls" else None
    return gateway.Gateway(options.binary, work / f"data-{transport}", certificates)


class ForeignServer:
    """Another S3 server on this machine, to test these tests; it is not started or stopped."""

    def __init__(self, endpoint, ca_file):
        if urllib.parse.urlsplit(endpoint).hostname not in ("127.0.0.1", "localhost", "::1"):
            sys.exit("--endpoint must be on this machine")
        self.endpoint = endpoint
        self.certificates = (ca_file,)
        self.access_key = os.environ["AWS_ACCESS_KEY_ID"]
        self.secret_key = os.environ["AWS_SECRET_ACCESS_KEY"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def run_client(client, place, transport, target, files, checks, pause_seconds, work):
    """Runs one client's checks; returns its row."""
    row = {"client": client.name, "transport": transport, "skipped": "", "checks": {}}
    if not isinstance(place, Installed):
        return row | {"skipped": place}
    scratch = work / f"{client.name}-{transport}"
    scratch.mkdir()
    bucket = f"{client.name.replace('.', '-')}-{transport}-{secrets.token_hex(3)}"
    tls = target.endpoint.startswith("https:")
    ca_file = str(target.certificates[0]) if tls else None
    Raw.of(target, ca_file).request("PUT", bucket)
    context = scratch / "context.json"
    context.write_text(json.dumps({
        "endpoint": target.endpoint, "host": urllib.parse.urlsplit(target.endpoint).netloc,
        "tls": tls, "ca_file": ca_file, "bucket": bucket, "region": gateway.REGION,
        "access_key": target.access_key, "secret_key": target.secret_key,
        "work": str(scratch), "files": files, "pause_seconds": pause_seconds,
    }))
    environment = client_environment(place, scratch, target, ca_file)
    client_file = HERE / "clients" / client.file
    if client_file.suffix == ".mjs":
        # Node looks for packages beside the file that imports them.
        client_file = pathlib.Path(shutil.copy(client_file, place.node_modules.parent))
        command = ["node", HERE / "worker.mjs"]
    else:
        command = [place.python, HERE / "worker.py"]
    row["checks"] = run_worker([*command, client_file, context, *checks], environment, checks)
    return row


def client_environment(place, scratch, target, ca_file):
    """The environment of a worker, which trusts the certificate authority of this run."""
    environment = gateway.aws_environment(target, scratch, place.programs)
    if ca_file:
        for name in ("AWS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
            environment[name] = ca_file
    return environment


def run_worker(command, environment, checks):
    """Runs a worker; returns the (state, detail) of each check, also when the worker ends early."""
    found = {}
    try:
        done = subprocess.run([str(word) for word in command], env=environment, text=True,
                              capture_output=True, timeout=CLIENT_SECONDS_MAX)
        output, end = done.stdout, done.stderr.strip()[-600:]
    except subprocess.TimeoutExpired as error:
        output, end = (error.stdout or b"").decode(), f"not done in {CLIENT_SECONDS_MAX} s"
    for line in output.splitlines():
        if line.startswith('{"check"'):
            result = json.loads(line)
            found[result["check"]] = (result["state"], result["detail"])
    return {check: found.get(check, ("FAIL", f"the worker ended: {end}")) for check in checks}


WIDTH = 8


def print_row(row):
    if print_row.first:
        print(f"{'client':13}{'over':6}" + "".join(f"{check:{WIDTH}}" for check in CHECKS))
        print_row.first = False
    cells = f"SKIPPED: {row['skipped']}" if row["skipped"] else "".join(
        f"{row['checks'].get(check, ('', ''))[0]:{WIDTH}}" for check in CHECKS)
    print(f"{row['client']:13}{row['transport']:6}{cells}".rstrip(), flush=True)


print_row.first = True


def report(rows):
    """Prints the failures and the counts; returns the number of failures."""
    states = [state for row in rows for state, _ in row["checks"].values()]
    findings = {}  # Checks of one client that fail for one reason are printed together.
    for row in rows:
        for check, (state, detail) in row["checks"].items():
            if state == "FAIL":
                findings.setdefault((row["client"], row["transport"], detail), []).append(check)
    for (client, transport, detail), checks in findings.items():
        print(f"\n{client} over {transport}: {', '.join(checks)}")
        print("    " + detail.replace("\n", "\n    "))
    skipped = sum(1 for row in rows if row["skipped"])
    failed = states.count("FAIL")
    print(f"\n{states.count('ok')} passed, {failed} failed, {skipped} skipped")
    return failed


if __name__ == "__main__":
    main()
