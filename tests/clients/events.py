#!/usr/bin/env python3
"""Notifications set by real clients, and the events that then arrive at a receiver.

boto3 puts and reads a configuration and makes changes; mc adds, lists and removes a rule. Every
request that arrives is verified by the snippet of docs/events.md. Exit code 1 when a check fails; a
client that cannot be installed here is skipped with the reason.
"""

import argparse
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import typing

import gateway
from install import CACHE, NotAvailable, install
from run import client_environment
from table import CLIENTS

HERE = pathlib.Path(__file__).resolve().parent
SECRET = "whsec_cGFydGl0YS10ZXN0cy1zZWNyZXQtb2YtMzItYnl0ZXM="
SECONDS_MAX = 120

# The program for boto3, which runs in its own environment.
BOTO3 = """
import boto3, os, sys, base64
s3 = boto3.client("s3", endpoint_url=sys.argv[1])
s3.create_bucket(Bucket="pyb")
rule = {"Id": "r", "QueueArn": "arn:partita:sqs:us-east-1:app:webhook",
        "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "partita:Upload:Aborted"],
        "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"},
                                           {"Name": "suffix", "Value": ".txt"}]}}}
s3.put_bucket_notification_configuration(
    Bucket="pyb", NotificationConfiguration={"QueueConfigurations": [rule]})
found = s3.get_bucket_notification_configuration(Bucket="pyb")["QueueConfigurations"]
assert found == [rule], found
bad = dict(rule, QueueArn="arn:partita:sqs:us-east-1:nobody:webhook")
try:
    s3.put_bucket_notification_configuration(
        Bucket="pyb", NotificationConfiguration={"QueueConfigurations": [bad]})
    sys.exit("an unknown target was accepted")
except s3.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "InvalidArgument", error
def with_var(request, **_):
    request.headers["x-partita-callback-var"] = base64.b64encode(b'{"order":7}').decode()
s3.meta.events.register("before-sign.s3.PutObject", with_var)
s3.put_object(Bucket="pyb", Key="in/a b.txt", Body=b"x", Metadata={"colour": "red"})
s3.put_object(Bucket="pyb", Key="out.txt", Body=b"x")
s3.copy_object(Bucket="pyb", Key="in/copy.txt", CopySource="pyb/in/a b.txt")
upload = s3.create_multipart_upload(Bucket="pyb", Key="in/big.txt")["UploadId"]
s3.abort_multipart_upload(Bucket="pyb", Key="in/big.txt", UploadId=upload)
s3.delete_object(Bucket="pyb", Key="in/copy.txt")
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes every event, and verifies it by the snippet of the documentation."""

    protocol_version = "HTTP/1.1"
    events: typing.ClassVar[list] = []
    verify = None

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        verified = Receiver.verify(SECRET, self.headers, body)
        Receiver.events.append((verified, json.loads(body)))
        self.send_response(200 if verified else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def snippet():
    """The function of docs/events.md."""
    page = (gateway.REPO / "docs/events.md").read_text()
    names = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S).group(1), names)
    return names["verify"]


def wait_for(wanted):
    """Waits until exactly the wanted events arrived since the last call; returns their bodies."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        came = sorted((body.get("EventName") or body["Event"], body.get("Key", ""))
                      for _, body in Receiver.events)
        if came == sorted(wanted):
            unverified = sum(1 for verified, _ in Receiver.events if not verified)
            bodies = [body for _, body in Receiver.events]
            Receiver.events.clear()
            if unverified:
                sys.exit(f"{unverified} events do not verify")
            return bodies
        time.sleep(0.05)
    sys.exit(f"came:   {came}\nwanted: {sorted(wanted)}")


def with_boto3(place, server, scratch):
    environment = client_environment(place, scratch, server, None)
    subprocess.run([place.python, "-c", BOTO3, server.endpoint], check=True, env=environment)
    bodies = wait_for([
        ("s3:TestEvent", ""), ("s3:ObjectCreated:Put", "pyb/in/a b.txt"),
        ("s3:ObjectCreated:Copy", "pyb/in/copy.txt"), ("partita:Upload:Aborted", "pyb/in/big.txt"),
        ("s3:ObjectRemoved:Delete", "pyb/in/copy.txt")])
    put = next(b["Records"][0] for b in bodies if b.get("EventName") == "s3:ObjectCreated:Put")
    if put["opaqueData"] != {"order": 7}:
        sys.exit(f"opaqueData is {put['opaqueData']}")
    if put["s3"]["object"]["userMetadata"] != {"x-amz-meta-colour": "red"}:
        sys.exit(f"userMetadata is {put['s3']['object']['userMetadata']}")


def with_mc(place, server, scratch):
    environment = client_environment(place, scratch, server, None)

    def mc(*words):
        done = subprocess.run(["minio-client", "--config-dir", scratch / "mc", *words],
                              env=environment, text=True, capture_output=True)
        if done.returncode != 0:
            sys.exit(f"mc {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    mc("alias", "set", "s3", server.endpoint, server.access_key, server.secret_key)
    mc("mb", "s3/mcb")
    arn = "arn:minio:sqs:us-east-1:app:webhook"
    mc("event", "add", "s3/mcb", arn, "--event", "put,delete", "--suffix", ".txt")
    listed = mc("event", "list", "s3/mcb")
    if arn not in listed or ".txt" not in listed:
        sys.exit(f"mc event list: {listed}")
    file = scratch / "a.txt"
    file.write_text("hello")
    mc("cp", str(file), "s3/mcb/a.txt")
    mc("cp", str(file), "s3/mcb/a.jpg")
    mc("rm", "s3/mcb/a.txt")
    wait_for([("s3:TestEvent", ""), ("s3:ObjectCreated:Put", "mcb/a.txt"),
              ("s3:ObjectRemoved:Delete", "mcb/a.txt")])
    mc("event", "remove", "s3/mcb", arn, "--event", "put,delete", "--suffix", ".txt")
    if arn in mc("event", "list", "s3/mcb"):
        sys.exit("mc event remove left the rule")


CHECKS = {"boto3": with_boto3, "mc": with_mc}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", type=pathlib.Path, help="the gateway; built when not given")
    parser.add_argument("--cache", type=pathlib.Path, default=CACHE, help="where clients are kept")
    options = parser.parse_args()
    Receiver.verify = staticmethod(snippet())
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    work = pathlib.Path(tempfile.mkdtemp(prefix="partita-events-"))
    config = work / "partita.toml"
    config.write_text(
        f'[webhook.app]\nurl = "http://127.0.0.1:{receiver.server_port}/"\n'
        f'secrets = "{SECRET}"\nallow-addresses = "127.0.0.1"\n')
    try:
        binary = options.binary or gateway.build()
        with gateway.Gateway(binary, work / "data", flags=["--config", str(config)]) as server:
            for client in CLIENTS:
                if client.name in CHECKS:
                    scratch = work / client.name
                    scratch.mkdir()
                    check(client, server, scratch, options.cache)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def check(client, server, scratch, cache):
    try:
        place = install(client.name, client.recipe, cache)
    except NotAvailable as reason:
        print(f"{client.name:8} SKIPPED: {reason}")
        return
    CHECKS[client.name](place, server, scratch)
    print(f"{client.name:8} ok", flush=True)


if __name__ == "__main__":
    main()
