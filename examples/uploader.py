#!/usr/bin/env python3
"""Uploads a file in parts, goes on where an earlier run was cut off, and sends no byte that is there.

    pip install boto3
    export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… PARTITA=http://127.0.0.1:9000
    python3 uploader.py film.mp4 films/user42/film.mp4

The file is declared by its size and SHA-256. So the same command finds the same open upload again,
after a break, from another machine too; and when the server may find the content instead of having
it sent (`x-partita-upload: instant`), no part is missing, and nothing is sent.
"""
import argparse
import concurrent.futures
import hashlib
import os
import sys

import boto3
from botocore.config import Config


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def create(s3, bucket, key, headers):
    """CreateMultipartUpload with headers of ours, which are signed like all others."""
    def add(request, **_):
        for name, value in headers.items():
            request.headers.add_header(name, value)
    s3.meta.events.register("before-sign.s3.CreateMultipartUpload", add)
    return s3.create_multipart_upload(Bucket=bucket, Key=key)


def stored_parts(s3, place):
    pages = s3.get_paginator("list_parts").paginate(**place)
    return {part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", [])}


def send_part(s3, place, path, number, part_size):
    with open(path, "rb") as file:
        file.seek((number - 1) * part_size)
        body = file.read(part_size)
    return s3.upload_part(**place, PartNumber=number, Body=body)["ETag"], len(body)


def upload(s3, path, bucket, key, prefix, parallel):
    size = os.path.getsize(path)
    headers = {"x-partita-object-size": str(size), "x-partita-content-sha256": sha256_of(path)}
    if prefix:
        headers["x-partita-instant-prefix"] = prefix
    made = create(s3, bucket, key, headers)
    told = made["ResponseMetadata"]["HTTPHeaders"]
    part_size, count = int(told["x-partita-part-size"]), int(told["x-partita-part-count"])
    place = {"Bucket": bucket, "Key": key, "UploadId": made["UploadId"]}
    parts = stored_parts(s3, place)
    missing = [number for number in range(1, count + 1) if number not in parts]
    print(f"{told['x-partita-upload']}: {len(missing)} of {count} parts to send", flush=True)
    sent = 0
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        waiting = {pool.submit(send_part, s3, place, path, number, part_size): number
                   for number in missing}
        for done in concurrent.futures.as_completed(waiting):
            parts[waiting[done]], length = done.result()
            sent += length
            print(f"\r{len(parts)} of {count} parts", end="", file=sys.stderr, flush=True)
    # The server reads the file once and compares its SHA-256 before anybody can see it.
    listed = [{"PartNumber": number, "ETag": etag} for number, etag in sorted(parts.items())]
    s3.complete_multipart_upload(**place, MultipartUpload={"Parts": listed})
    print(f"{bucket}/{key}: {size} bytes, {sent} sent", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("target", help="BUCKET/KEY")
    parser.add_argument("--parallel", type=int, default=4)
    parser.add_argument("--instant-prefix", help="look for the content only below this prefix")
    asked = parser.parse_args()
    bucket, _, key = asked.target.partition("/")
    # A pause of the upload is answered with 503: more tries outlast a longer one.
    config = Config(retries={"mode": "standard", "max_attempts": 20}, read_timeout=60,
                    max_pool_connections=asked.parallel)
    endpoint = os.environ.get("PARTITA", "http://127.0.0.1:9000")
    region = os.environ.get("AWS_REGION", "us-east-1")
    s3 = boto3.client("s3", endpoint_url=endpoint, region_name=region, config=config)
    upload(s3, asked.file, bucket, key, asked.instant_prefix, asked.parallel)


if __name__ == "__main__":
    main()
