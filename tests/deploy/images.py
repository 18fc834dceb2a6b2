"""Makes the two base images without pulling any.

A Debian root folder comes from debootstrap, with the machine's own package sources; the image for
building also gets the machine's Rust toolchain and the crates that cargo has already fetched. Both
are kept as archives in a cache folder, because making them takes minutes.
"""

import os
import pathlib
import re
import shutil
import subprocess

APT_SOURCES = pathlib.Path("/etc/apt/sources.list.d/debian.sources")
RUST_FOLDER, CARGO_FOLDER = "usr/local/rust", "usr/local/cargo"
BUILD_PACKAGES = "gcc,libc6-dev,make,ca-certificates"


def debian_archive(name, packages, cache, work):
    """The path of an archive of a minimal Debian with these packages."""
    archive = cache / f"{name}.tar"
    if not archive.exists():
        uri, suite = _apt_source()
        root = work / name
        command = ["debootstrap", "--variant=minbase"]
        command += [f"--include={packages}"] if packages else []
        subprocess.run([*command, suite, str(root), uri], check=True, capture_output=True)
        shutil.rmtree(root / "var/cache/apt/archives")
        partial = archive.with_suffix(".partial")
        subprocess.run(["tar", "-C", str(root), "-cf", str(partial), "."], check=True)
        partial.rename(archive)
        shutil.rmtree(root)
    return archive


def _apt_source():
    """The address and the suite of this machine's first source of packages."""
    text = APT_SOURCES.read_text()
    uri = re.search(r"(?m)^URIs:\s*(\S+)", text).group(1)
    suite = re.search(r"(?m)^Suites:\s*(\S+)", text).group(1)
    return uri, suite


def import_base(run, archive, tag):
    """Makes an image of an archive; `run` runs a docker command."""
    run("import", str(archive), tag)


def import_with_rust(run, archive, tag, work, source):
    """Makes an image of an archive, the toolchain, and the crates that the source's lock names."""
    subprocess.run(["cargo", "fetch", "--locked", "--manifest-path", source / "Cargo.toml"],
                   check=True)
    root = work / "rust-layer"
    _link(pathlib.Path(_output("rustc", "--print", "sysroot")), root / RUST_FOLDER,
          ignore=shutil.ignore_patterns("doc", "man"))
    registry = pathlib.Path(_cargo_home()) / "registry"
    for part in ("index", "cache"):
        _link(registry / part, root / CARGO_FOLDER / "registry" / part)
    combined = work / "rust.tar"
    shutil.copyfile(archive, combined)
    # Docker takes no path twice, so only the two new folders are added.
    subprocess.run(["tar", "-C", str(root), "--owner=0", "--group=0", "-rf", str(combined),
                    f"./{RUST_FOLDER}", f"./{CARGO_FOLDER}"], check=True)
    changes = [f"ENV PATH=/{RUST_FOLDER}/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               f"ENV CARGO_HOME=/{CARGO_FOLDER}", "ENV CARGO_NET_OFFLINE=true"]
    words = [word for change in changes for word in ("--change", change)]
    run("import", *words, str(combined), tag)
    combined.unlink()


def _link(source, target, ignore=None):
    """Copies a tree by hard links where that can be, by bytes where not."""
    def place(one, other):
        try:
            pathlib.Path(other).hardlink_to(one)
        except OSError:
            shutil.copy2(one, other)
    shutil.copytree(source, target, copy_function=place, ignore=ignore, symlinks=True)


def _cargo_home():
    return os.environ.get("CARGO_HOME", str(pathlib.Path.home() / ".cargo"))


def _output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
