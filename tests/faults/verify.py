"""Comparison after a restart: acknowledged changes are there; an unanswered one is there wholly, or
not at all.

The model takes over what the server shows, so the next round begins without unanswered changes.
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
        """Adds a loss: an acknowledged change is missing, or a mixture of contents is stored."""
        self.lost += 1
        self.complaints.append("LOST " + text)

    def wrong(self, text):
        """Adds any other complaint."""
        self.complaints.append(text)


def verify(model, port):
    """Compares the server with the model, and updates the model; gives Findings."""
    findings, client = Findings(), Client(port)
    try:
        _verify_all(client, model, findings)
    except Broken as error:
        findings.loss(f"the restarted server does not answer: {error}")
    finally:
        client.close()
    return findings


def _verify_all(client, model, findings):
    for state in model.states:
        for upload in state.uploads:
            _verify_upload(client, state, upload, findings)
        for key in sorted(set(state.objects) | set(state.unanswered)):
            seen = _verify_object(client, key, state.allowed(key), findings)
            state.note_content(key, seen)
    for key in model.races.all_keys():
        seen = _verify_object(client, key, model.races.allowed(key), findings)
        model.races.note_content(key, seen)
    _delete_old_races(client, model, findings)
    _verify_list(client, model, findings)
    _verify_open_uploads(client, model, findings)


def _delete_old_races(client, model, findings):
    """Deletes the keys of earlier rounds, so that rounds do not grow. The list shows that they
    stay deleted."""
    for key in model.races.all_keys():
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
    # Two allowed contents may have the same bytes: an object of one part, and a PUT of that part
    # over it that has no answer yet. Their ETags tell them apart.
    with_bytes = [content for content in allowed if content is not ABSENT
                  and content.size == len(answer.body) and content.body() == answer.body]
    for content in with_bytes:
        if content.etag() == answer.etag:
            return content
    if with_bytes:
        findings.loss(f"{key}: its bytes have the ETag {answer.etag}; allowed are {allowed}")
        return with_bytes[0]
    findings.loss(f"{key}: {len(answer.body)} bytes that were never written, or were replaced; "
                  f"allowed are {allowed}")
    return ABSENT


def _verify_upload(client, state, upload, findings):
    """Checks that an ended upload stays ended, and an open one has all its parts. Notes the
    result of an unanswered end."""
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
        allowed = [state.objects.get(upload.key)] if is_open else [upload.result]
        _verify_object(client, upload.key, allowed, findings)
        state.note_sent(upload.key, upload.result)
    if upload.ending == "abort" and not upload.ended:
        upload.ended, upload.ending = ("", "") if is_open else ("abort", "abort")
    if upload.ending == "complete":
        _verify_repeated_complete(client, state, upload, name, findings)


def _verify_parts(answer, upload, name, findings):
    """Compares ListParts with the acknowledged parts."""
    listed = {int(part.findtext("PartNumber")): (part.findtext("ETag").strip('"'),
                                                 int(part.findtext("Size")))
              for part in answer.xml().iter("Part")}
    for number in sorted(set(listed) | set(upload.parts) | set(upload.unanswered_parts)):
        allowed = [upload.parts.get(number), upload.unanswered_parts.get(number)]
        if number not in upload.unanswered_parts:
            allowed.pop()
        fits = [content for content in allowed if _etag_and_size(content) == listed.get(number)]
        if not fits:
            findings.loss(f"{name}: part {number} is {listed.get(number)}, not one of {allowed}")
        elif fits[0] is not None:
            upload.parts[number] = fits[0]
    upload.unanswered_parts.clear()


def _etag_and_size(content):
    return content and (content.etag(), content.size)


def _verify_repeated_complete(client, state, upload, name, findings):
    """Checks a repeated Complete: the same answer, and nothing is published a second time."""
    answer = repeat_complete(client, upload)
    if answer.status != 200 or upload.result.etag() not in answer.body.decode():
        findings.loss(f"{name}: Complete again gives {answer}")
    if not upload.ended:
        upload.ended = "complete"
        state.note_content(upload.key, upload.result)


def _verify_list(client, model, findings):
    """Checks that the list shows what GET shows."""
    wanted = {key: content for state in model.states for key, content in state.objects.items()}
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
    """Checks that open uploads are listed, and ended ones are not."""
    page = client.request("GET", f"/{BUCKET}", query={"uploads": "", "max-uploads": 1000}).xml()
    listed = collections.Counter(entry.findtext("UploadId") for entry in page.iter("Upload"))
    for state in model.states:
        for upload in state.open_uploads():
            if upload.id not in listed:
                findings.loss(f"upload {upload.id} of {upload.key} is not listed")
        for upload in state.uploads:
            if upload.ended and upload.id in listed:
                findings.loss(f"upload {upload.id} of {upload.key} is listed after its end")
