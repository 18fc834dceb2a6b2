"""Installs clients into a cache folder: one folder for each client, used again for the same recipe.

A recipe names packages of three kinds, each installed by that kind's ordinary program: pip into a
virtual environment, npm into node_modules, and Debian packages that are unpacked, not installed, so
that the machine does not change. A recipe that fails raises `NotAvailable`.
"""

import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

CACHE = pathlib.Path(__file__).resolve().parents[2] / "target/clients"
INSTALL_SECONDS_MAX = 600
APT_SOURCES = pathlib.Path("/etc/apt/sources.list.d/debian.sources")


class NotAvailable(Exception):
    """A client that cannot be installed on this machine; the text says why."""


@dataclasses.dataclass(frozen=True)
class Recipe:
    """Packages to install. `suite` is the Debian suite of `deb`; None is that of the machine."""

    pip: tuple = ()
    npm: tuple = ()
    deb: tuple = ()
    suite: str | None = None

    def digest(self):
        text = f"{self}{sys.version_info[:2]}"
        return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Installed:
    """An installed client: the interpreter of its checks and the folders of its programs."""

    python: pathlib.Path
    node_modules: pathlib.Path | None
    programs: tuple


def install(name, recipe, cache):
    """Installs the packages of a recipe, unless they are installed; returns where they are."""
    folder = cache / name
    stamp = folder / "recipe"
    if not stamp.exists() or stamp.read_text() != recipe.digest():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _install_pip(folder, recipe)
        _install_npm(folder, recipe)
        _install_deb(folder, recipe, cache)
        stamp.write_text(recipe.digest())
    return Installed(
        python=folder / "venv/bin/python" if recipe.pip else pathlib.Path(sys.executable),
        node_modules=folder / "node_modules" if recipe.npm else None,
        programs=(folder / "venv/bin", folder / "deb/usr/bin"),
    )


def _install_pip(folder, recipe):
    if not recipe.pip:
        return
    venv = folder / "venv"
    _run(sys.executable, "-m", "venv", "--without-pip", venv)
    python = venv / "bin/python"
    _run(sys.executable, "-m", "pip", "--python", python, "install", "-q", *recipe.pip)
    if recipe.deb:  # The unpacked package's Python modules become modules of the environment.
        (site,) = venv.glob("lib/python3*/site-packages")
        modules = folder / "deb/usr/lib/python3/dist-packages"
        (site / "unpacked.pth").write_text(f"{modules}\n")


def _install_npm(folder, recipe):
    if not recipe.npm:
        return
    if not shutil.which("npm"):
        raise NotAvailable("no npm on this machine")
    (folder / "package.json").write_text('{"private": true}')
    _run("npm", "install", "--no-save", "--no-package-lock", *recipe.npm, cwd=folder)


def _install_deb(folder, recipe, cache):
    if not recipe.deb:
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise NotAvailable("no apt-get on this machine")
    downloads = folder / "download"
    downloads.mkdir()
    options = _suite_options(recipe.suite, cache) if recipe.suite else []
    command = ["apt-get", *options, "download", "-q", *recipe.deb]
    try:
        _run(*command, cwd=downloads)
    except NotAvailable:  # The package index is missing or old.
        _run("apt-get", *options, "update", "-q")
        _run(*command, cwd=downloads)
    for package in downloads.glob("*.deb"):
        _run("dpkg", "-x", package, folder / "deb")


def _suite_options(suite, cache):
    """Options that make apt-get read another suite of the same archive, with its own state."""
    state = cache / f"apt-{suite}"
    for part in ("lists/partial", "cache/archives/partial"):
        (state / part).mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::Etc::SourceList": state / "suite.sources",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::State::Lists": state / "lists",
        "Dir::Cache": state / "cache",
    }
    flags = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    if not (state / "suite.sources").exists():
        if not APT_SOURCES.exists():
            raise NotAvailable(f"no {APT_SOURCES.name} to derive suite {suite} from")
        stanza = APT_SOURCES.read_text().split("\n\n")[0]
        changed = re.sub(r"(?m)^Suites:.*$", f"Suites: {suite}", stanza)
        (state / "suite.sources").write_text(changed + "\n")
        _run("apt-get", *flags, "update", "-q")
    return flags


def _run(*command, cwd=None):
    words = [str(word) for word in command]
    try:
        done = subprocess.run(words, cwd=cwd, capture_output=True, text=True,
                              timeout=INSTALL_SECONDS_MAX, env=os.environ | {"LC_ALL": "C"})
    except subprocess.TimeoutExpired:
        raise NotAvailable(f"{words[0]} took over {INSTALL_SECONDS_MAX} s") from None
    if done.returncode != 0:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise NotAvailable(f"{pathlib.Path(words[0]).name}: {lines[-1] if lines else 'failed'}")
