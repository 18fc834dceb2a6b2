#!/usr/bin/env python3
"""The main job: a large upload over two kills, and the time of CompleteMultipartUpload.

Part one: aws-cli uploads a large file. The server is killed (SIGKILL) at a third of it and started
again, while the client retries. At two thirds both are killed, and boto3 sends only the parts that
ListParts does not name. The download must be the same by SHA-256.

Part two: the time of CompleteMultipartUpload for 10 to 10,000 parts, and for large against small
parts of the same number: it must not grow with bytes.

At the end `partita check` checks both data folders. Exit code 1 when a check fails.
"""

import argparse
import concurrent.futures
import hashlib
import json
import pathlib
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import gateway
from documents import complete_document, texts
from fixtures import write_random
from install import CACHE, install
from raw import Raw, RawError
from table import CLIENTS

MIB = 1024 * 1024
BUCKET, KEY = "main-job", "large file"
PART_BYTES = 16 * MIB
SMALL_PART_BYTES = 4096
SENDERS = 8
WAIT_SECONDS_MAX = 900


class Findings(list):
    """The checks that failed."""

    def expect(self, good, text):
        print(f"{'ok  ' if good else 'FAIL'}  {text}", flush=True)
        if not good:
            self.append(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size-gib", type=float, default=2, help="size of the large file")
    parser.add_argument("--parts-max", type=int, default=10_000, help="the largest count of parts")
    parser.add_argument("--rss-mib-max", type=int, default=64, help="memory the server may hold")
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; a release build when not "
                        "given")
    parser.add_argument("--folder", type=pathlib.Path, help="where data goes; the temporary "
                        "folder when not given")
    options = parser.parse_args()
    tools = {client.name: install(client.name, client.recipe, CACHE) for client in CLIENTS
             if client.name in ("boto3", "aws-cli-1")}
    binary = options.binary or gateway.build(release=True)
    findings = Findings()
    work = pathlib.Path(tempfile.mkdtemp(prefix="partita-main-job-", dir=options.folder))
    try:
        survive(binary, work, tools, options, findings)
        measure_complete(binary, work, options, findings)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"\n{'FAILED: ' + '; '.join(findings) if findings else 'the main job is done'}")
    sys.exit(1 if findings else 0)


# --- Part one -------------------------------------------------------------------------------------


def survive(binary, work, tools, options, findings):
    """The upload, the two kills, the resume, the download."""
    size = int(options.size_gib * 1024) * MIB
    source = work / "source"
    digest = write_random(source, size, 2)
    print(f"large file: {size / MIB:,.0f} MiB in parts of {PART_BYTES // MIB} MiB")
    server = gateway.Gateway(binary, work / "data-large")
    server.start()
    raw = Raw.of(server)
    raw.request("PUT", BUCKET)
    environment = client_environment(server, work)
    upload = start_aws(tools, environment, server,
                       "s3", "cp", "--quiet", str(source), f"s3://{BUCKET}/{KEY}")
    peaks = []
    at_first = wait_for_bytes(server, size // 3, upload)
    restart(server, peaks)
    print(f"server killed at {at_first / MIB:,.0f} MiB and started again on port {server.port}")
    at_second = wait_for_bytes(server, 2 * size // 3, upload)
    alive = upload.poll() is None
    findings.expect(at_second > at_first and alive, "aws-cli's own retries went on after the kill")
    upload.send_signal(signal.SIGKILL)
    upload.wait()
    restart(server, peaks)
    print(f"server and aws-cli killed at {at_second / MIB:,.0f} MiB; boto3 goes on")
    result = resume(tools, environment, server, source)
    print(f"boto3 found {result['parts_found']} parts of {result['parts']}, sent "
          f"{result['bytes_sent']:,} bytes of {size:,}")
    print(f"Complete of {result['parts']} parts, {size / MIB:,.0f} MiB: "
          f"{result['complete_ms']:.1f} ms")
    findings.expect(result["bytes_sent"] + result["bytes_found"] == size
                    and result["bytes_found"] >= at_second,
                    "only what was missing was sent again")
    got = download_digest(tools, environment, server)
    findings.expect(got == digest, f"the download is the same by SHA-256 ({digest[:16]}…)")
    peaks.append(server.peak_rss_kib())
    server.stop()
    words = ", ".join(f"{peak / 1024:.1f}" for peak in peaks)
    findings.expect(max(peaks) <= options.rss_mib_max * 1024,
                    f"peak memory of the server, run by run: {words} MiB "
                    f"(at most {options.rss_mib_max})")
    source.unlink()
    check_folder(server, findings)


def client_environment(server, work):
    """An environment with many short retries, because the server is down for a moment."""
    config = work / "aws-config"
    config.write_text("[default]\nretry_mode = standard\nmax_attempts = 12\ns3 =\n"
                      f"    multipart_chunksize = {PART_BYTES}\n    max_concurrent_requests = 4\n")
    return gateway.aws_environment(server, work) | {"AWS_CONFIG_FILE": str(config)}


def start_aws(tools, environment, server, *words, **options):
    command = [tools["aws-cli-1"].python, "-m", "awscli", "--endpoint-url", server.endpoint, *words]
    return subprocess.Popen(command, env=environment, **options)


def wait_for_bytes(server, wanted, upload):
    """Waits until ListParts shows so many bytes; returns how many it shows."""
    raw, deadline = Raw.of(server), time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        stored = sum(part_sizes(raw))
        if stored >= wanted:
            return stored
        if upload.poll() is not None:
            raise RuntimeError(f"aws-cli ended with {upload.returncode} at {stored:,} bytes")
        time.sleep(0.05)
    raise RuntimeError(f"no {wanted:,} bytes after {WAIT_SECONDS_MAX} s")


def part_sizes(raw):
    """The sizes of the stored parts of the one open upload, over all pages."""
    listed = raw.request("GET", BUCKET, query={"uploads": "", "prefix": KEY})[1]
    upload = next(iter(texts(listed, "UploadId")), None)
    sizes, marker = [], None
    while upload:
        query = {"uploadId": upload} | ({"part-number-marker": marker} if marker else {})
        page = raw.request("GET", BUCKET, KEY, query)[1]
        sizes += [int(size) for size in texts(page, "Size")]
        if texts(page, "IsTruncated") != ["true"]:
            break
        marker = texts(page, "NextPartNumberMarker")[0]
    return sizes


def restart(server, peaks):
    peaks.append(server.peak_rss_kib())
    server.kill()
    server.start()


def resume(tools, environment, server, source):
    """Runs resume.py with boto3; returns what it prints."""
    program = pathlib.Path(__file__).with_name("resume.py")
    command = [tools["boto3"].python, program, server.endpoint, BUCKET, KEY, source]
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def download_digest(tools, environment, server):
    """Downloads with aws-cli; returns the SHA-256."""
    digest = hashlib.sha256()
    started = time.monotonic()
    with start_aws(tools, environment, server, "s3", "cp", "--quiet", f"s3://{BUCKET}/{KEY}", "-",
                   stdout=subprocess.PIPE) as download:
        while block := download.stdout.read(MIB):
            digest.update(block)
    if download.returncode != 0:
        raise RuntimeError(f"the download ended with {download.returncode}")
    print(f"downloaded in {time.monotonic() - started:.1f} s")
    return digest.hexdigest()


# --- Part two -------------------------------------------------------------------------------------


def measure_complete(binary, work, options, findings):
    """Complete's time by number and by size of parts."""
    counts = [count for count in (10, 100, 1_000, 10_000) if count <= options.parts_max]
    cases = [(count, SMALL_PART_BYTES) for count in counts]
    cases += [(10, 32 * MIB), (100, 5 * MIB)]
    with gateway.Gateway(binary, work / "data-parts", flags=["--part-bytes-min", "1"]) as server:
        Raw.of(server).request("PUT", BUCKET)
        print(f"\n{'parts':>7} {'part bytes':>12} {'object bytes':>15} {'Complete ms':>12}")
        times = {}
        for count, part_bytes in cases:
            repeats = 1 if count > 1_000 else 3
            taken = [timed_upload(server, count, part_bytes, findings) for _ in range(repeats)]
            times[count, part_bytes] = statistics.median(taken)
            print(f"{count:>7,} {part_bytes:>12,} {count * part_bytes:>15,} "
                  f"{times[count, part_bytes]:>12.1f}", flush=True)
        for count, part_bytes in cases[len(counts):]:
            small, large = times[count, SMALL_PART_BYTES], times[count, part_bytes]
            # The bound is loose, because of other load; a copy of the bytes would take far longer.
            findings.expect(large <= 3 * small + 30, f"{count} parts of {part_bytes // MIB} MiB "
                            f"are joined in {large:.1f} ms, of 4 KiB in {small:.1f} ms")
        print(f"peak memory of the server: {server.peak_rss_kib() / 1024:.1f} MiB")
    check_folder(server, findings)


def timed_upload(server, count, part_bytes, findings):
    """Uploads that many parts at once, completes, reads back; returns Complete's milliseconds."""
    raw, key = Raw.of(server), f"{count}-{part_bytes}"
    answer = raw.request("POST", BUCKET, key, {"uploads": ""})[1]
    upload = texts(answer, "UploadId")[0]
    block = random.Random(count).randbytes(part_bytes)
    etags = send_parts(server, key, upload, count, block)
    body = complete_document(enumerate(etags, start=1))
    started = time.monotonic()
    raw.request("POST", BUCKET, key, {"uploadId": upload}, body=body)
    taken_ms = (time.monotonic() - started) * 1000
    digest = hashlib.sha256()
    for number in range(1, count + 1):
        digest.update(part_body(block, number))
    got = hashlib.sha256(raw.request("GET", BUCKET, key)[1])
    if got.digest() != digest.digest():
        findings.expect(False, f"{key} reads back as it was sent")
    raw.request("DELETE", BUCKET, key)
    return taken_ms


def part_body(block, number):
    """The bytes of a part: the block with the part's number in front, so that all differ."""
    return number.to_bytes(8, "big") + block[8:]


def send_parts(server, key, upload, count, block):
    """Sends all parts over a few connections, in no order; returns their ETags in order."""
    connections = threading.local()

    def send(number):
        if not hasattr(connections, "raw"):
            connections.raw = Raw.of(server)
        query = {"partNumber": number, "uploadId": upload}
        def put():
            return connections.raw.request(
                "PUT", BUCKET, key, query, body=part_body(block, number))[0]["etag"]

        for pause in (0.1, 0.5, 2):
            try:
                return put()
            except RawError as error:
                if error.status != 503:  # Overload; the request is sent again later.
                    raise
                time.sleep(pause)
        return put()

    numbers = random.Random(count).sample(range(1, count + 1), count)
    with concurrent.futures.ThreadPoolExecutor(SENDERS) as pool:
        etags = dict(zip(numbers, pool.map(send, numbers), strict=True))
    return [etags[number] for number in range(1, count + 1)]


# --- Both -----------------------------------------------------------------------------------------


def check_folder(server, findings):
    """Runs `check` over the folder of a server that is down."""
    done = server.command("check", "--data", server.data)
    lines = (done.stdout + done.stderr).strip().splitlines()
    findings.expect(done.returncode == 0, f"partita check: {lines[-1] if lines else 'silent'}")


if __name__ == "__main__":
    main()
