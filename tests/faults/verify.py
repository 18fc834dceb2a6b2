"""After a restart: everything acknowledged is there, everything doubtful is wholly there or not.

What is seen settles the doubts of the model, so the next round has none.
"""

import collections
import re

from model import ABSENT, Content
from s3 import Broken, Client
from workload import BUCKET, repeat_complete

PAGE_KEYS = 20
ROUNDS_KEPT = 5


class Findings:
    """Complaints, and how many of them are losses."""

    def __init__(self):
        self.lost = 0
        self.complaints = []

    def loss(self, text):
        """An acknowledged change is missing, or a mixture of contents is stored."""
        self.lost += 1
        self.complaints.append("LOST " + text)

    def wrong(self, text):
        """Any other complaint."""
        self.complaints.append(text)


def verify(model, port):
    """Compares the server with the model, settles the model; gives Findings."""
    findings, client = Findings(), Client(port)
    try:
        _verify_all(client, model, findings)
    except Broken as error:
        findings.loss(f"the restarted server does not answer: {error}")
    finally:
        client.close()
    return findings


def _verify_all(client, model, findings):
    for book in model.books:
        for upload in book.uploads:
            _verify_upload(client, book, upload, findings)
        for key in sorted(set(book.objects) | set(book.doubts)):
            seen = _verify_object(client, key, book.allowed(key), findings)
            book.settle(key, seen)
    for key in model.races.tried():
        seen = _verify_object(client, key, model.races.allowed(key), findings)
        model.races.settle(key, seen)
    _retire_races(client, model, findings)
    _verify_list(client, model, findings)
    _verify_open_uploads(client, model, findings)


def _retire_races(client, model, findings):
    """Deletes the keys of earlier rounds, so that rounds do not grow. The list shows that they
    stay deleted."""
    for key in model.races.tried():
        if int(re.match(r"race/(\d+)-", key).group(1)) <= model.round - ROUNDS_KEPT:
            answer = client.request("DELETE", f"/{BUCKET}/{key}")
            if answer.status != 204:
                findings.wrong(f"DELETE {key}: {answer}")
            model.races.forget(key)


def _verify_object(client, key, allowed, findings):
    """Reads one key; returns which of the allowed contents it holds."""
    try:
        answer = client.request("GET", f"/{BUCKET}/{key}")
    except Broken as error:
        findings.loss(f"{key}: {error}")
        return ABSENT
    if answer.status == 404 and answer.code == "NoSuchKey":
        if ABSENT not in allowed:
            findings.loss(f"{key}: it is gone")
        return ABSENT
    if answer.status != 200:
        findings.loss(f"{key}: {answer}")
        return ABSENT
    for content in allowed:
        if (content is not ABSENT and content.size == len(answer.body)
                and content.body() == answer.body):
            if answer.etag != content.etag():
                findings.loss(f"{key}: its bytes have the ETag {answer.etag}")
            return content
    findings.loss(f"{key}: {len(answer.body)} bytes that were never written, or were replaced; "
                  f"allowed are {allowed}")
    return ABSENT


def _verify_upload(client, book, upload, findings):
    """An ended upload stays ended, an open one has all its parts, a doubt is settled."""
    name = f"upload {upload.id} of {upload.key}"
    answer = client.request("GET", f"/{BUCKET}/{upload.key}", query={"uploadId": upload.id})
    is_open = answer.status == 200
    if not is_open and (answer.status, answer.code) != (404, "NoSuchUpload"):
        findings.loss(f"{name}: {answer}")
        upload.ended = upload.ended or "lost"
        return
    if is_open and upload.ended:
        findings.loss(f"{name}: open again after {upload.ended}")
    if is_open and not upload.ended:
        _verify_parts(answer, upload, name, findings)
    if not is_open and not upload.ended and not upload.ending:
        findings.loss(f"{name}: it is gone with {len(upload.parts)} parts")
        upload.ended = "lost"
    if upload.ending == "complete" and not upload.ended:
        # The object is the old one while the upload is open, and the new one afterwards.
        allowed = [book.objects.get(upload.key)] if is_open else [upload.result]
        _verify_object(client, upload.key, allowed, findings)
        book.intend(upload.key, upload.result)
    if upload.ending == "abort" and not upload.ended:
        upload.ended, upload.ending = ("", "") if is_open else ("abort", "abort")
    if upload.ending == "complete":
        _repeat(client, book, upload, name, findings)


def _verify_parts(answer, upload, name, findings):
    """ListParts against the acknowledged parts."""
    listed = {int(part.findtext("PartNumber")): (part.findtext("ETag").strip('"'),
                                                 int(part.findtext("Size")))
              for part in answer.xml().iter("Part")}
    for number in sorted(set(listed) | set(upload.parts) | set(upload.part_doubts)):
        allowed = [upload.parts.get(number), upload.part_doubts.get(number)]
        if number not in upload.part_doubts:
            allowed.pop()
        fits = [content for content in allowed if _tells(content) == listed.get(number)]
        if not fits:
            findings.loss(f"{name}: part {number} is {listed.get(number)}, not one of {allowed}")
        elif fits[0] is not None:
            upload.parts[number] = fits[0]
    upload.part_doubts.clear()


def _tells(content):
    return content and (content.etag(), content.size)


def _repeat(client, book, upload, name, findings):
    """A repeated Complete: the same answer, and nothing is published a second time."""
    answer = repeat_complete(client, upload)
    if answer.status != 200 or upload.result.etag() not in answer.body.decode():
        findings.loss(f"{name}: Complete again gives {answer}")
    if not upload.ended:
        upload.ended = "complete"
        book.settle(upload.key, upload.result)


def _verify_list(client, model, findings):
    """The list shows what GET shows."""
    wanted = {key: content for book in model.books for key, content in book.objects.items()}
    wanted |= model.races.winners
    wanted = {key: (content.etag(), content.size) for key, content in wanted.items()
              if isinstance(content, Content)}
    listed, query = {}, {"list-type": "2", "max-keys": PAGE_KEYS}
    while True:
        page = client.request("GET", f"/{BUCKET}", query=query).xml()
        for entry in page.iter("Contents"):
            listed[entry.findtext("Key")] = (entry.findtext("ETag").strip('"'),
                                             int(entry.findtext("Size")))
        if page.findtext("IsTruncated") != "true":
            break
        query["continuation-token"] = page.findtext("NextContinuationToken")
    for key in sorted(set(wanted) | set(listed)):
        if wanted.get(key) != listed.get(key):
            findings.loss(f"the list shows {key} as {listed.get(key)}, not {wanted.get(key)}")


def _verify_open_uploads(client, model, findings):
    """Open uploads are listed, ended ones are not."""
    page = client.request("GET", f"/{BUCKET}", query={"uploads": "", "max-uploads": 1000}).xml()
    listed = collections.Counter(entry.findtext("UploadId") for entry in page.iter("Upload"))
    for book in model.books:
        for upload in book.open_uploads():
            if upload.id not in listed:
                findings.loss(f"upload {upload.id} of {upload.key} is not listed")
        for upload in book.uploads:
            if upload.ended and upload.id in listed:
                findings.loss(f"upload {upload.id} of {upload.key} is listed after its end")
