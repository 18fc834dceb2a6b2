#!/usr/bin/env python3
"""Uploads a file in parts, resumes an earlier run, and sends no byte that the server has.

    pip install boto3
    export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… PARTITA=http://127.0.0.1:9000
    python3 uploader.py film.mp4 films/user42/film.mp4

The file is declared by its size and SHA-256, so the same command finds the same open upload again,
after a break and from another machine. When the server has the content and may use it
(`x-partita-upload: instant`), no part is missing and nothing is sent. In a bucket that takes proofs
(`x-partita-upload: challenge`) the program proves that it has the file, by a digest of some of its
bytes.
"""
import argparse
import concurrent.futures
import hashlib
import json
import os
import sys
import urllib.parse

import boto3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.httpsession import URLLib3Session


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def create(s3, bucket, key, headers):
    """CreateMultipartUpload with Partita's headers, which are signed like all others."""
    def add(request, **_):
        for name, value in headers.items():
            request.headers.add_header(name, value)
    s3.meta.events.register("before-sign.s3.CreateMultipartUpload", add)
    return s3.create_multipart_upload(Bucket=bucket, Key=key)


def proof_request(s3, method, place, body=b""):
    """Sends a request that boto3 has no method for, signed in its header."""
    path = f"{place['Bucket']}/{urllib.parse.quote(place['Key'])}"
    url = f"{s3.meta.endpoint_url}/{path}?partita-proof=&uploadId={place['UploadId']}"
    request = AWSRequest(method, url, data=body)
    S3SigV4Auth(boto3.Session().get_credentials(), "s3", s3.meta.region_name).add_auth(request)
    return URLLib3Session().send(request.prepare())


def prove(s3, place, path):
    """Answers a challenge; returns whether the proof was accepted. If not, parts are sent."""
    asked = proof_request(s3, "GET", place)
    if asked.status_code != 200:
        return False
    challenge = json.loads(asked.content)
    digest = hashlib.sha256(bytes.fromhex(challenge["nonce"]))
    with open(path, "rb") as file:
        for block in challenge["ranges"]:
            file.seek(block["startByte"])
            digest.update(file.read(block["endByte"] - block["startByte"] + 1))
    proof = {"nonce": challenge["nonce"], "sha256": digest.hexdigest()}
    return proof_request(s3, "POST", place, json.dumps(proof).encode()).status_code == 200


def stored_parts(s3, place):
    pages = s3.get_paginator("list_parts").paginate(**place)
    return {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", [])}


def send_part(s3, place, path, number, part_size):
    with open(path, "rb") as file:
        file.seek((number - 1) * part_size)
        body = file.read(part_size)
    return s3.upload_part(**place, PartNumber=number, Body=body)["ETag"], len(body)


def upload(s3, path, bucket, key, prefixes, parallel):
    size = os.path.getsize(path)
    headers = {"x-partita-object-size": str(size), "x-partita-content-sha256": sha256_of(path)}
    headers |= {name: value for name, value in prefixes.items() if value}
    made = create(s3, bucket, key, headers)
    told = made["ResponseMetadata"]["HTTPHeaders"]
    part_size, count = int(told["x-partita-part-size"]), int(told["x-partita-part-count"])
    place = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
    how = told["x-partita-upload"]
    if how == "challenge":
        how = "instant" if prove(s3, place, path) else "created"
    parts = stored_parts(s3, place)
    # An instant upload has parts already, of any size.
    numbers = [] if how == "instant" else range(1, count + 1)
    missing = [number for number in numbers if number not in parts]
    print(f"{how}: {len(missing)} of {count} parts to send", flush=True)
    sent = 0
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        waiting = {pool.submit(send_part, s3, place, path, number, part_size): number
                   for number in missing}
        for done in concurrent.futures.as_completed(waiting):
            parts[waiting[done]], length = done.result()
            sent += length
            print(f"\r{len(parts)} of {count} parts", end="", file=sys.stderr, flush=True)
    # The server compares the SHA-256 of the whole file before it publishes the object.
    listed = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(parts.items())]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": listed})
    print(f"{bucket}/{key}: {size} bytes, {sent} sent", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("target", help="BUCKET/KEY")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--instant-prefix", help="look for the content only below this prefix")
    parser.add_argument("--proof-prefix", help="prove possession of content below it; * for all")
    asked = parser.parse_args()
    bucket, _, key = asked.target.partition("/")
    # A paused upload answers 503; more attempts survive a longer pause.
    config = Config(retries={"mode": "standard", "max_attempts": 20}, read_timeout=60,
                    max_pool_connections=asked.parallel)
    endpoint = os.environ.get("PARTITA", "http://127.0.0.1:9000")
    region = os.environ.get("AWS_REGION", "us-east-1")
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    prefixes = {"x-partita-instant-prefix": asked.instant_prefix,
                "x-partita-proof-prefix": asked.proof_prefix}
    upload(s3, asked.file, bucket, key, prefixes, asked.parallel)


if __name__ == "__main__":
    main()
