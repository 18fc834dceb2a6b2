#!/usr/bin/env python3
"""Instant upload by unmodified clients: the bytes that a client sends, counted by a relay.

A large file is sent, then sent again under another key. The client is killed in the middle of a
second file and sends it again. A relay between client and server counts the bytes that the client
sends, heads included. Exit code 1 when a known file costs a megabyte, when the second try sends
bytes that the server has, or when a download differs.
"""

import argparse
import contextlib
import hashlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import gateway
from fixtures import write_random
from install import CACHE, NotAvailable, install
from raw import Raw
from table import CLIENTS

MIB = 1024 * 1024
BUCKET = "instant"
KNOWN_BYTES_MAX = 1_000_000
# aws-cli has ten parts of 8 MiB in flight when it is killed; buffers of the relay count too.
IN_FLIGHT_BYTES_MAX = 128 * MIB
RUN_SECONDS_MAX = 900


class Relay:
    """Forwards connections to the server and counts the bytes that clients send."""

    def __init__(self, port):
        self.target = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(self.target)
            for source, sink, counts in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass, args=(source, sink, counts),
                                 daemon=True).start()

    def _pass(self, source, sink, counts):
        try:
            while data := source.recv(256 * 1024):
                if counts:
                    with self.lock:
                        self.received += len(data)
                sink.sendall(data)
        except OSError:
            pass
        # One side has ended; the other is closed too.
        for end in (sink, source):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR if not counts else socket.SHUT_WR)

    def take(self):
        """The bytes since the last call."""
        with self.lock:
            received, self.received = self.received, 0
        return received


class Job:
    """One client against one server."""

    def __init__(self, name, installed, server, relay, folder, size):
        self.name, self.server, self.relay = name, server, relay
        self.folder, self.size, self.failures = folder, size, []
        self.environment = gateway.aws_environment(server, folder, installed.programs)
        # The client's own interpreter; the first line of the program may name another one.
        self.aws = [str(installed.python), shutil.which("aws", path=self.environment["PATH"])]

    def command(self, path, key):
        endpoint = f"http://127.0.0.1:{self.relay.port}"
        return [*self.aws, "--endpoint-url", endpoint, "s3", "cp", "--no-progress", str(path),
                f"s3://{BUCKET}/{self.name}/{key}"]

    def copy(self, path, key):
        """Runs `aws s3 cp` to its end; returns the bytes that it sent, and the seconds."""
        self.relay.take()
        begun = time.monotonic()
        done = subprocess.run(self.command(path, key), env=self.environment, text=True,
                              capture_output=True, timeout=RUN_SECONDS_MAX)
        if done.returncode != 0:
            self.failures.append(f"{key}: {done.stderr.strip()[-300:]}")
        return self.relay.take(), time.monotonic() - begun

    def copy_until(self, path, key, sent):
        """Runs `aws s3 cp` until that many bytes were sent and kills it; returns the bytes sent."""
        self.relay.take()
        process = subprocess.Popen(self.command(path, key), env=self.environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        total, deadline = 0, time.monotonic() + RUN_SECONDS_MAX
        while total < sent and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
            total += self.relay.take()
        process.kill()
        process.wait()
        time.sleep(1)
        return total + self.relay.take()

    def expect(self, condition, text):
        if not condition:
            self.failures.append(text)

    def say(self, what, sent, seconds=None):
        took = f", {seconds:.1f} s" if seconds is not None else ""
        print(f"{self.name}: {what}: {sent:,} bytes sent of {self.size:,}{took}", flush=True)

    def run(self):
        first, second = self.folder / f"{self.name}-1", self.folder / f"{self.name}-2"
        digests = [write_random(first, self.size, self.name + "1"),
                   write_random(second, self.size, self.name + "2")]
        sent, seconds = self.copy(first, "first")
        self.say("a new file", sent, seconds)
        self.expect(sent >= self.size, "a new file must be sent")
        sent, seconds = self.copy(first, "again")
        self.say("the same file under another key", sent, seconds)
        self.expect(sent < KNOWN_BYTES_MAX, f"a known file cost {sent} bytes")

        broken = self.copy_until(second, "broken", self.size // 2)
        self.say("another file, the client killed", broken)
        sent, seconds = self.copy(second, "broken")
        self.say("the second try", sent, seconds)
        most = self.size - broken + IN_FLIGHT_BYTES_MAX
        self.expect(sent < most, f"the second try sent {sent} bytes, at most {most} were missing")

        client = Raw.of(self.server)
        for key, digest in zip(("first", "again", "broken"), (digests[0], *digests), strict=True):
            if self.failures:
                break
            got = hashlib.sha256(client.request("GET", BUCKET, f"{self.name}/{key}")[1])
            self.expect(got.hexdigest() == digest, f"{key} came back with other bytes")
        for path in (first, second):
            path.unlink()
        return self.failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size-mib", type=int, default=1024)
    parser.add_argument("--only", action="append", help="a client of table.py; may be repeated")
    parser.add_argument("--binary", type=pathlib.Path)
    options = parser.parse_args()
    names = options.only or ["aws-cli-1", "aws-cli-2.23"]
    binary = options.binary or gateway.build(release=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="partita-instant-"))
    failed = []
    try:
        with gateway.Gateway(binary, folder / "data", flags=["--access-log", "false"]) as server:
            Raw.of(server).request("PUT", BUCKET)
            relay = Relay(server.port)
            for row in (row for row in CLIENTS if row.name in names):
                try:
                    installed = install(row.name, row.recipe, CACHE)
                except NotAvailable as why:
                    print(f"{row.name}: SKIPPED: {why}", flush=True)
                    continue
                job = Job(row.name, installed, server, relay, folder, options.size_mib * MIB)
                version = subprocess.run([*job.aws, "--version"], env=job.environment, text=True,
                                         capture_output=True)
                print(f"{row.name}: {version.stdout.strip() or version.stderr.strip()}")
                failed += [f"{row.name}: {failure}" for failure in job.run()]
        done = server.command("check", "--data", server.data)
        print(f"partita check: {done.stdout.strip()}")
        failed += [] if done.returncode == 0 else [f"check: {done.stdout}{done.stderr}"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps({"failed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
