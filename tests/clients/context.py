"""The context of a client's checks: where the server is, fixtures, and assertions on the result.

The driver writes a context as JSON; a worker reads it in the client's own environment, so this file
uses the standard library alone. Contents are compared by SHA-256. What a client uploaded is read
back by a separate client, `raw.Raw`.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pausing
import raw

# A key with every character that some layer escapes in its own way.
ODD_KEY = "a b+c/é~%$&@=;:.txt"
COMMAND_SECONDS_MAX = 600


class CheckFailed(Exception):
    """The finding of a check, in one short text."""


class Context:
    """One client over one transport, with its own bucket and scratch folder."""

    def __init__(self, path):
        fields = json.loads(pathlib.Path(path).read_text())
        self.endpoint = fields["endpoint"]
        self.host = fields["host"]  # host:port
        self.tls = fields["tls"]
        self.ca_file = fields["ca_file"]
        self.access_key = fields["access_key"]
        self.secret_key = fields["secret_key"]
        self.region = fields["region"]
        self.bucket = fields["bucket"]
        self.work = pathlib.Path(fields["work"])
        self.files = {name: pathlib.Path(path) for name, path in fields["files"].items()}
        self.odd_key = ODD_KEY
        self.pause_seconds = fields["pause_seconds"]
        self.raw = self.new_raw()

    def new_raw(self):
        """A separate client with a connection of its own."""
        return raw.Raw.of(self, self.ca_file if self.tls else None)

    def run(self, *command, env=(), stdin=None):
        """Runs a command; returns its standard output, or fails with the end of its errors.

        `env` changes the environment; a value of None takes the name away.
        """
        environment = dict(os.environ)
        for name, value in dict(env).items():
            environment.pop(name, None)
            if value is not None:
                environment[name] = value
        done = subprocess.run([str(word) for word in command], env=environment, cwd=self.work,
                              input=stdin, capture_output=True, timeout=COMMAND_SECONDS_MAX)
        if done.returncode != 0:
            text = (done.stderr + done.stdout).decode(errors="replace").strip()
            raise CheckFailed(f"{pathlib.Path(str(command[0])).name} exit {done.returncode}: "
                              f"{text[-600:]}")
        return done.stdout

    def fetch(self, url, body=None):
        """GETs a presigned URL, or PUTs a body to it, without any S3 library."""
        trust = ssl.create_default_context(cafile=self.ca_file) if self.tls else None
        request = urllib.request.Request(url, body, method="GET" if body is None else "PUT")
        if body is not None:  # Otherwise urllib sends a type that is not signed.
            request.add_header("Content-Type", "")
        try:
            with urllib.request.urlopen(request, timeout=60, context=trust) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()[:400].decode(errors="replace")
            raise CheckFailed(f"{request.method} of a presigned URL: {error}: {text}") from error

    def data(self, name):
        """The bytes of a fixture: `small`, `empty` or `big`."""
        return self.files[name].read_bytes()

    def path(self, name):
        """A fresh path in the scratch folder."""
        return self.work / name

    def tree(self, *names):
        """A folder of small files, an hour old, so that rounded times do not make them newer."""
        folder, then = self.work / "tree", time.time() - 3600
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(self.data("small"))
            os.utime(folder / name, (then, then))
        return folder

    def seed(self, key, name="small"):
        """Stores a fixture under a key, without the client."""
        self.raw.request("PUT", self.bucket, key, body=self.data(name))

    def seed_all(self, prefix, *names):
        """Stores a small object under each name; returns the keys."""
        keys = [prefix + name for name in names]
        for key in keys:
            self.seed(key)
        return keys

    def expect(self, condition, text):
        if not condition:
            raise CheckFailed(text)

    def expect_bytes(self, got, name):
        """The bytes, or the file, must be those of the fixture."""
        content = got.read_bytes() if isinstance(got, pathlib.Path) else bytes(got)
        want = self.data(name)
        if hashlib.sha256(content).digest() != hashlib.sha256(want).digest():
            raise CheckFailed(f"{len(content)} bytes that differ from the {len(want)} of {name}")

    def expect_stored(self, key, name):
        """The object must hold the fixture's bytes, read back by the separate client."""
        try:
            content = self.raw.request("GET", self.bucket, key)[1]
        except raw.RawError as error:
            raise CheckFailed(f"reading {key!r} back: {error}") from error
        self.expect_bytes(content, name)

    def expect_multipart(self, key):
        """The object's ETag must be that of a multipart upload of two parts or more."""
        etag = self.raw.head(self.bucket, key).get("etag", "").strip('"')
        count = etag.partition("-")[2]
        self.expect(count.isdigit() and int(count) > 1, f"ETag {etag} is not of several parts")

    def expect_keys(self, prefix, want):
        got = self.raw.keys(self.bucket, prefix)
        self.expect(sorted(got) == sorted(want), f"keys are {got}, not {want}")

    @contextlib.contextmanager
    def paused(self, key, name):
        """Pauses the upload that the block makes; it must wait and then finish by itself."""
        found, client = {}, self.new_raw()

        def run():
            try:
                found.update(pausing.pause(client, self.bucket, key, self.pause_seconds))
            except Exception as error:  # Reported below.
                found["error"] = error

        thread, size = threading.Thread(target=run), self.files[name].stat().st_size
        thread.start()
        begun = time.monotonic()
        try:
            yield
        finally:
            thread.join()
        self.expect("error" not in found, f"the pause failed: {found.get('error')!r}")
        self.expect(found["begin"] == found["end"] < size, f"the upload did not wait: {found}")
        took = time.monotonic() - begun
        self.expect(took >= self.pause_seconds, f"it took only {took:.1f} s")
        # `self.raw` has one connection, and two such blocks may run at once.
        self.expect_bytes(client.request("GET", self.bucket, key)[1], name)

    @contextlib.contextmanager
    def expect_error(self, kind, *words):
        """The block must raise `kind` with one of the words in its text."""
        try:
            yield
        except kind as error:
            if not any(word in str(error) for word in words):
                raise CheckFailed(f"another error than {words}: {error}") from error
        else:
            raise CheckFailed(f"no error, {words} was expected")
