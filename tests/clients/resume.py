"""Resumes the one open upload of a key: `resume.py ENDPOINT BUCKET KEY FILE`.

It does what any program with boto3 can do after a kill: it asks ListParts which parts are stored,
sends the others, and completes. It prints the counts as JSON.
"""

import json
import pathlib
import sys
import time

import boto3


def main():
    endpoint, bucket, key, path = sys.argv[1:]
    s3 = boto3.client("s3", endpoint_url=endpoint)
    where = {"Bucket": bucket, "Key": key}
    (upload,) = s3.list_multipart_uploads(Bucket=bucket, Prefix=key)["Uploads"]
    where["UploadId"] = upload["UploadId"]
    there = {part["PartNumber"]: part for part in listed_parts(s3, where)}
    size = pathlib.Path(path).stat().st_size
    # All parts but the last have one size: that of the largest part.
    part_bytes = max(part["Size"] for part in there.values())
    count = -(-size // part_bytes)
    sent = 0
    with open(path, "rb") as file:
        for number in range(1, count + 1):
            if number not in there:
                file.seek((number - 1) * part_bytes)
                body = file.read(part_bytes)
                s3.upload_part(**where, PartNumber=number, Body=body)
                sent += len(body)
    names = ("PartNumber", "ETag", "ChecksumCRC32")
    parts = [{name: part[name] for name in names if name in part}
             for part in listed_parts(s3, where)]
    started = time.monotonic()
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    print(json.dumps({
        "parts": count, "parts_found": len(there), "bytes_sent": sent,
        "bytes_found": sum(part["Size"] for part in there.values()),
        "complete_ms": (time.monotonic() - started) * 1000,
    }))


def listed_parts(s3, where):
    """All parts of the upload, over all pages."""
    pages = s3.get_paginator("list_parts").paginate(**where)
    return [part for page in pages for part in page.get("Parts", [])]


if __name__ == "__main__":
    main()
