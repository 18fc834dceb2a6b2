#!/usr/bin/env python3
"""An application's server: serves the upload page, asks Partita for grants, receives webhooks.

    pip install boto3
    export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… PARTITA=http://127.0.0.1:9000 BUCKET=films
    export WEBHOOK_SECRET=whsec_…            # as in Partita's configuration; optional
    python3 server.py 8000

The access key stays on this server. A browser gets presigned URLs, and sends the bytes to Partita.
"""
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import sys
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest

PARTITA = os.environ.get("PARTITA", "http://127.0.0.1:9000").rstrip("/")
BUCKET = os.environ.get("BUCKET", "uploads")
REGION = os.environ.get("AWS_REGION", "us-east-1")
SECRET = os.environ.get("WEBHOOK_SECRET", "")
PAGE = Path(__file__).parent.parent / "upload-page" / "index.html"
GRANT_SECONDS, SIZE_MAX, BODY_MAX, SKEW_SECONDS = 6 * 3600, 50 << 30, 1 << 20, 300

session = boto3.Session(region_name=REGION)
granted = {}  # Upload id → user. Your application keeps this in its database.
seen = {}  # Ids of webhooks that were processed; each may come more than once.


def prepare_bucket(origin):
    """Makes the bucket, and the CORS rules that let pages of this server send to it."""
    s3 = session.client("s3", endpoint_url=PARTITA)
    if BUCKET not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=BUCKET)
    rule = {"AllowedOrigins": [origin], "AllowedMethods": ["GET", "PUT", "POST", "DELETE"],
            "AllowedHeaders": ["*"], "MaxAgeSeconds": 600,
            "ExposeHeaders": ["ETag", "x-partita-upload-state", "x-partita-expected"]}
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [rule]})


def partita(method, path, document=None):
    """Sends one signed request to the management interface."""
    body = b"" if document is None else json.dumps(document).encode()
    request = AWSRequest(method, PARTITA + path, data=body)
    S3SigV4Auth(session.get_credentials(), "s3", REGION).add_auth(request)
    sent = urllib.request.Request(request.url, body or None, dict(request.headers), method=method)
    with urllib.request.urlopen(sent, timeout=30) as answer:
        return json.load(answer)


def grant(user, asked):
    """A grant for one file. This function decides the key and the largest size."""
    size = int(asked["size"])
    if not 0 <= size <= SIZE_MAX:
        raise ValueError("the file is too large")
    name = str(asked["name"]).replace("/", "_")[:200]
    made = partita("POST", "/_partita/v1/grants", {
        "bucket": BUCKET, "key": f"{user}/{secrets.token_hex(8)}-{name}", "size": size,
        "contentType": str(asked.get("type") or "application/octet-stream"),
        "callbackVar": {"user": user}, "expiresIn": GRANT_SECONDS})
    granted[made["uploadId"]] = user
    return made


def parts(user, path):
    """More part URLs for an upload of this user."""
    found = re.fullmatch(r"/_partita/v1/grants/([0-9a-f]{32})/parts\?[a-zA-Z0-9=&]*", path)
    if not found or granted.get(found[1]) != user:
        raise ValueError("not a page of parts of this user")
    return partita("GET", path)


def verify(headers, body):
    """The id of a webhook with a valid, recent signature (Standard Webhooks), or None."""
    ident, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not SECRET or not stamp.isdigit() or abs(time.time() - int(stamp)) > SKEW_SECONDS:
        return None
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    wanted = hmac.digest(key, f"{ident}.{stamp}.".encode() + body, hashlib.sha256)
    for signature in headers.get("webhook-signature", "").split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value, base64.b64encode(wanted).decode()):
            return ident
    return None


class Handler(BaseHTTPRequestHandler):
    """Your application knows its users by a session; this example has one user."""
    user = "user42"

    def reply(self, status, document=None, kind="application/json"):
        body = document if isinstance(document, bytes) else json.dumps(document or {}).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/":
            return self.reply(200, PAGE.read_bytes(), "text/html; charset=utf-8")
        return self.reply(404)

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        if length > BODY_MAX:
            return self.reply(413)
        body = self.rfile.read(length)
        try:
            if self.path == "/grants":
                return self.reply(200, grant(self.user, json.loads(body)))
            if self.path == "/parts":
                return self.reply(200, parts(self.user, json.loads(body)["next"]))
            if self.path == "/webhook":
                return self.webhook(body)
        except urllib.error.HTTPError as error:
            return self.reply(502, {"error": json.load(error).get("message")})
        except (KeyError, TypeError, ValueError) as error:
            return self.reply(400, {"error": str(error)})
        return self.reply(404)

    def webhook(self, body):
        ident = verify(self.headers, body)
        if ident is None:
            return self.reply(401)
        if ident in seen:
            return self.reply(200)
        seen[ident] = time.time()
        if len(seen) > 10_000:
            seen.pop(next(iter(seen)))
        for record in json.loads(body).get("Records", []):
            about = record["s3"]
            print("event", record["eventName"], about["bucket"]["name"], about["object"]["key"],
                  json.dumps(record.get("opaqueData")), flush=True)
        return self.reply(200)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if sys.argv[1:] else 8000), Handler)
    origin = os.environ.get("ORIGIN", f"http://127.0.0.1:{server.server_port}")
    prepare_bucket(origin)
    print(f"listening on {origin}", flush=True)
    server.serve_forever()
