"""Builds, starts, kills and stops the real gateway for these tests.

A `Gateway` is one server process. `make_certificates` makes the throw-away certificate authority
for TLS. Every server listens on the loopback address only.
"""

import json
import os
import pathlib
import re
import secrets
import signal
import subprocess
import time
import urllib.request

from raw import REGION

REPO = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 120


def build(release=False):
    """Builds the gateway with cargo and returns the path of its binary."""
    command = ["cargo", "build", "--bin", "partita", "--message-format", "json-render-diagnostics"]
    if release:
        command.append("--release")
    lines = subprocess.run(command, cwd=REPO, check=True, stdout=subprocess.PIPE, text=True).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("reason") == "compiler-artifact" and message.get("executable"):
            return pathlib.Path(message["executable"])
    raise RuntimeError("cargo built no binary")


def aws_environment(server, home, programs=()):
    """An environment for AWS's tools: the server's keys, and of the machine's only the path."""
    return {
        "PATH": ":".join([*map(str, programs), os.environ["PATH"]]),
        "HOME": str(home), "LC_ALL": "C.UTF-8", "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_certificates(folder):
    """Makes a certificate authority and a certificate for localhost; returns (ca, cert, key).

    Two certificates, because some TLS libraries refuse an authority as a server's own certificate.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca, cert, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    ca_key, request, extensions = folder / "ca.key", folder / "cert.csr", folder / "cert.ext"
    extensions.write_text(
        "subjectAltName=DNS:localhost,IP:127.0.0.1\n"
        "basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"
    )
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    _openssl("req", "-x509", *new_key, "-days", "30", "-subj", "/CN=rig authority",
             "-keyout", ca_key, "-out", ca)
    _openssl("req", *new_key, "-subj", "/CN=localhost", "-keyout", key, "-out", request)
    _openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", ca_key, "-CAcreateserial",
             "-days", "30", "-extfile", extensions, "-out", cert)
    return ca, cert, key


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Gateway:
    """One server over one data folder; it can be started again after a stop or a kill."""

    def __init__(self, binary, data, certificates=None, flags=()):
        self.binary = str(binary)
        self.data = pathlib.Path(data)
        self.flags = list(flags)
        self.certificates = certificates
        self.access_key = "RIG" + secrets.token_hex(8).upper()
        self.secret_key = secrets.token_urlsafe(30)
        self.log = self.data.with_name(self.data.name + ".log")
        self.process = None
        self.port = 0

    @property
    def endpoint(self):
        return f"{'https' if self.certificates else 'http'}://127.0.0.1:{self.port}"

    def command(self, *arguments):
        """Runs another command of the binary, for example `check`; returns the finished process."""
        return subprocess.run([self.binary, *map(str, arguments)], text=True, capture_output=True)

    def create_user(self, name, identity, display_name, email, access_key, secret_key):
        """Adds a user with known keys; the server may be up or down."""
        done = self.command(
            "user", "create", name, "--data", self.data, "--id", identity,
            "--display-name", display_name, "--email", email,
            "--access-key-id", access_key, "--secret-access-key", secret_key,
        )
        if done.returncode != 0:
            raise RuntimeError(f"user create {name}: {done.stderr.strip() or done.stdout.strip()}")

    def start(self):
        """Starts the server, on the same port as before if it ran before, until it is ready."""
        self.data.mkdir(parents=True, exist_ok=True)
        command = [self.binary, "serve", "--data", str(self.data),
                   "--listen", f"127.0.0.1:{self.port}", *self.flags]
        if self.certificates:
            _, cert, key = self.certificates
            command += ["--tls-cert", str(cert), "--tls-key", str(key)]
        environment = os.environ | {
            "PARTITA_ROOT_ACCESS_KEY_ID": self.access_key,
            "PARTITA_ROOT_SECRET_ACCESS_KEY": self.secret_key,
        }
        log_start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        self.port = self._wait_for_port(log_start)
        self._wait_for_ready()
        return self

    def _wait_for_port(self, log_start):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            text = self.log.read_bytes()[log_start:].decode(errors="replace")
            found = re.search(r"listening on https?://[^\s:]+:(\d+)", text)
            if found:
                return int(found.group(1))
            if self.process.poll() is not None:
                raise RuntimeError(f"the gateway ended at once: {text[-2000:]}")
            time.sleep(0.02)
        raise RuntimeError("the gateway printed no address")

    def _wait_for_ready(self):
        if self.certificates:
            return  # The address is printed after the socket is bound.
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(self.endpoint + "/_partita/v1/health/ready", timeout=5)
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("the gateway did not become ready")

    def peak_rss_kib(self):
        """The peak resident memory of the running process (VmHWM)."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1))

    def kill(self):
        """Ends the process with SIGKILL."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """Ends the process with SIGTERM; returns its exit code."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.terminate()
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(f"the gateway did not stop in {STOP_SECONDS_MAX} s") from None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
