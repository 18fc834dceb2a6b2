"""Pauses an upload while a client sends it: `pausing.py CONTEXT_FILE KEY SECONDS`.

Waits until the key has an open upload, pauses it, and resumes it after the given time. Prints as
JSON how many bytes the server had at the start and at the end of the pause. Python clients call
`pause`; others run the file.
"""

import json
import pathlib
import sys
import time

import raw
from documents import texts

START_SECONDS_MAX = 60


def pause(client, bucket, key, seconds):
    """Pauses the upload; returns the bytes that the server had at both ends of the pause."""
    upload = {"uploadId": _wait_for_upload(client, bucket, key)}
    _set(client, bucket, key, upload, "pause")
    # Parts that are in flight may still arrive.
    time.sleep(min(5, seconds / 2))
    begin = _received(client, bucket, key, upload)
    time.sleep(seconds - min(5, seconds / 2))
    end = _received(client, bucket, key, upload)
    _set(client, bucket, key, upload, "upload")
    return {"begin": begin, "end": end}


def _wait_for_upload(client, bucket, key):
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline:
        answer = client.request("GET", bucket, query={"uploads": "", "prefix": key})[1]
        for upload in texts(answer, "UploadId"):
            return upload
        time.sleep(0.002)
    raise RuntimeError(f"no upload of {key} began")


def _set(client, bucket, key, upload, status):
    body = json.dumps({"status": status}).encode()
    client.request("PUT", bucket, key, query=upload | {"partita-state": ""}, body=body)


def _received(client, bucket, key, upload):
    answer = client.request("GET", bucket, key, query=upload | {"partita-blocks": ""})[1]
    return json.loads(answer)["receivedBytes"]


def main():
    context_file, key, seconds = sys.argv[1:]
    fields = json.loads(pathlib.Path(context_file).read_text())
    client = raw.Raw(fields["endpoint"], fields["access_key"], fields["secret_key"],
                     fields["region"], fields["ca_file"] if fields["tls"] else None)
    print(json.dumps(pause(client, fields["bucket"], key, float(seconds))))


if __name__ == "__main__":
    main()
