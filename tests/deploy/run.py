"""Tests the container: built, healthy, used by aws-cli, killed and started again with its data.

Everything runs in a separate Docker daemon, with its data, its socket and its images in a temporary
folder. Without one the test prints SKIPPED and the reason, and exits with 0.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import gateway
import images
import install
from table import CLIENTS

HERE = pathlib.Path(__file__).resolve().parent
REPO = HERE.parents[1]
CACHE = REPO / "target/deploy"
PACKAGES = {"dockerd": "docker.io", "docker-compose": "docker-compose",
            "debootstrap": "debootstrap", "iptables": "iptables"}
PROJECT = "partita-deploy-test"
DAEMON_SECONDS_MAX = 60
HEALTHY_SECONDS_MAX = 120


class Skipped(Exception):
    """A test that this machine cannot run; the text says why."""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, default=REPO, help="what to build; this "
                        "repository when not given")
    parser.add_argument("--profile", default="dist", help="cargo's profile for the image")
    options = parser.parse_args()
    # The path of a socket must be short, so the folder is not below a deep temporary folder.
    work = pathlib.Path(tempfile.mkdtemp(prefix="partita-deploy-", dir="/var/tmp"))
    try:
        need_programs()
        with Daemon(work) as daemon:
            check_container(daemon, options, work)
    except (Skipped, install.NotAvailable) as reason:
        print(f"SKIPPED: {reason}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def need_programs():
    """Installs missing programs, as root, from Debian's packages."""
    if os.geteuid() != 0:
        raise Skipped("a separate Docker daemon needs root")
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise Skipped(f"no {' '.join(missing)} and no apt-get")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "TMPDIR": "/var/tmp"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
        done = subprocess.run(["apt-get", "-q", *command], env=environment, capture_output=True,
                              text=True)
    if done.returncode != 0:
        raise Skipped(f"apt-get: {(done.stderr.strip() or 'failed').splitlines()[-1]}")


class Daemon:
    """A dockerd with all its files in one folder; it is ended by its process id."""

    def __init__(self, work):
        self.folder = work / "daemon"
        self.address = f"unix://{self.folder}/docker.sock"
        self.environment = os.environ | {"DOCKER_HOST": self.address, "DOCKER_BUILDKIT": "0"}
        # The client of the daemon's package, not another one earlier in the path.
        self.docker = ["/usr/bin/docker", "--host", self.address]
        self.process = None

    def __enter__(self):
        self.folder.mkdir()
        log = self.folder / "log"
        command = ["dockerd", "--host", self.address, "--data-root", str(self.folder / "data"),
                   "--exec-root", str(self.folder / "exec"),
                   "--pidfile", str(self.folder / "pid"),
                   # No rule, bridge or setting of the machine's network is changed: the build needs
                   # none, and compose makes and removes its own network.
                   "--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)
        deadline = time.monotonic() + DAEMON_SECONDS_MAX
        while subprocess.run([*self.docker, "info"], capture_output=True).returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.__exit__()
                lines = log.read_text().strip().splitlines() or ["no message"]
                raise Skipped(f"dockerd does not start: {lines[-1]}")
            time.sleep(0.3)
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def run(self, *words):
        """A docker command; returns what it prints."""
        return self._run([*self.docker, *words])

    def compose(self, *words, settings):
        """A docker-compose command over the repository's file."""
        self._run(["docker-compose", "--project-name", PROJECT, "--project-directory",
                   settings["source"], "--file", str(REPO / "docker-compose.yml"), *words],
                  settings["environment"])

    def _run(self, command, more=()):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              env=self.environment | dict(more))
        if done.returncode != 0:
            raise SystemExit(f"FAIL  {' '.join(map(str, command))}\n"
                             f"{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout.strip()


def check_container(daemon, options, work):
    """Builds, starts, uses, kills, starts again, stops."""
    aws = next(client for client in CLIENTS if client.name == "aws-cli-1")
    python = install.install(aws.name, aws.recipe, install.CACHE).python
    make_bases(daemon, options, work)
    keys = {"PARTITA_ROOT_ACCESS_KEY_ID": "DEPLOY" + secrets.token_hex(7).upper(),
            "PARTITA_ROOT_SECRET_ACCESS_KEY": secrets.token_urlsafe(30)}
    port = free_port()
    settings = {"source": str(options.source.resolve()), "environment": keys | {
        "PARTITA_IMAGE": "partita-test", "PARTITA_BUILD_IMAGE": "base-build",
        "PARTITA_RUN_IMAGE": "base-run", "PARTITA_PROFILE": options.profile,
        "PARTITA_PORT": str(port)}}
    started = time.monotonic()
    daemon.compose("build", settings=settings)
    size = int(daemon.run("image", "inspect", "--format", "{{.Size}}", "partita-test"))
    base = int(daemon.run("image", "inspect", "--format", "{{.Size}}", "base-run"))
    say(f"the image is built in {time.monotonic() - started:.0f} s and adds "
        f"{(size - base) / 1e6:.1f} MB to its base")
    user = daemon.run("image", "inspect", "--format", "{{.Config.User}}", "partita-test")
    expect(user not in ("", "root", "0"), f"it runs as the user {user!r}")
    try:
        use(daemon, settings, Aws(python, port, keys, work), work)
    except SystemExit:
        subprocess.run([*daemon.docker, "logs", "--tail", "50", f"{PROJECT}_partita_1"])
        raise
    finally:
        daemon.compose("down", "--volumes", settings=settings)
    say("it is taken down")


def make_bases(daemon, options, work):
    """Makes the images base-build and base-run."""
    CACHE.mkdir(parents=True, exist_ok=True)
    try:
        run = images.debian_archive("debian-run", "", CACHE, work)
        build = images.debian_archive("debian-build", images.BUILD_PACKAGES, CACHE, work)
    except subprocess.CalledProcessError as error:
        lines = (error.stdout or b"").decode().strip().splitlines() or ["failed"]
        raise Skipped(f"{error.cmd[0]}: {lines[-1]}") from error
    images.import_base(daemon.run, run, "base-run")
    images.import_with_rust(daemon.run, build, "base-build", work, options.source)
    say("the base images are made")


def use(daemon, settings, aws, work):
    """Uses, kills, restarts and stops one container over its volume."""
    content = random.Random(3).randbytes(12_000_000)  # Over aws-cli's limit for one part.
    source = work / "source"
    source.write_bytes(content)
    daemon.compose("up", "-d", settings=settings)
    container = f"{PROJECT}_partita_1"
    wait_until_healthy(daemon, container)
    say("the container is healthy")
    aws("s3", "mb", "s3://deploy")
    aws("s3", "cp", "--quiet", source, "s3://deploy/a b/object")
    expect(aws.digest("s3://deploy/a b/object") == sha256(content), "aws s3 cp goes in and out")
    first = daemon.run("inspect", "--format", "{{.State.StartedAt}}", container)
    daemon.run("kill", "--signal", "KILL", container)
    daemon.compose("up", "-d", settings=settings)
    wait_until_healthy(daemon, container)
    again = daemon.run("inspect", "--format", "{{.State.StartedAt}}", container)
    expect(again != first, "after SIGKILL it is up again")
    expect(aws.digest("s3://deploy/a b/object") == sha256(content), "and the data is there")
    daemon.compose("stop", settings=settings)
    code = daemon.run("inspect", "--format", "{{.State.ExitCode}}", container)
    expect(code == "0", f"a stop drains; the exit code is {code}")
    daemon.compose("up", "-d", "--force-recreate", settings=settings)
    wait_until_healthy(daemon, container)
    expect(aws.digest("s3://deploy/a b/object") == sha256(content),
           "a new container over the same volume has the data")


class Aws:
    """aws-cli against the published port."""

    def __init__(self, python, port, keys, work):
        self.command = [str(python), "-m", "awscli", "--endpoint-url", f"http://127.0.0.1:{port}"]
        self.access_key = keys["PARTITA_ROOT_ACCESS_KEY_ID"]
        self.secret_key = keys["PARTITA_ROOT_SECRET_ACCESS_KEY"]
        self.environment = gateway.aws_environment(self, work)

    def __call__(self, *words):
        command = [*self.command, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True)
        if done.returncode != 0:
            raise SystemExit(f"FAIL  aws {' '.join(map(str, words))}: {done.stderr.decode()}")
        return done.stdout

    def digest(self, url):
        return sha256(self("s3", "cp", "--quiet", url, "-"))


def wait_until_healthy(daemon, container):
    deadline = time.monotonic() + HEALTHY_SECONDS_MAX
    while True:
        state = json.loads(daemon.run("inspect", "--format", "{{json .State}}", container))
        if state["Health"]["Status"] == "healthy" and state["Running"]:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"FAIL  not healthy: {json.dumps(state)[-2000:]}")
        time.sleep(0.5)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def say(text):
    print(f"ok    {text}", flush=True)


def expect(good, text):
    if not good:
        raise SystemExit(f"FAIL  {text}")
    say(text)


if __name__ == "__main__":
    main()
