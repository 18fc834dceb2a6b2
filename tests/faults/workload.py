"""Writers that make all kinds of changes at once until the server is gone.

Each has its own keys and uploads, so it knows the right answers. Besides, all writers try to create
the same new keys. An answer that contradicts the model is a complaint at once. After a broken
connection or a 5xx the change counts as unanswered, and the writer ends; verify.py finds out after
the restart whether the change is there.

A few contents are shared by all writers. A server that deduplicates stores them once, completes
uploads whose content it has, and fills parts by their digests.
"""

import json
import random
import threading

from documents import complete_document
from model import ABSENT, Content, Upload
from s3 import Broken, Client, TooSlow

BUCKET = "faults"
KEYS_PER_WRITER = 6
UPLOADS_PER_WRITER = 3
PART_NUMBERS = 5
ENDED_UPLOADS_KEPT = 4
# The gateway keeps bodies up to 8 KiB in SQLite; those up to 256 KiB share files, larger ones have
# a file each.
SMALL_BYTES, LARGE_BYTES = (1, 20_000), (65_537, 400_000)
SHARED = [Content(((seed, 70_000),)) for seed in range(1, 5)]
# Flags of a server that stores equal contents once and finds them.
SHARING = ("--dedup-buckets", BUCKET)


class Writer(threading.Thread):
    """One writer; it ends when the server is gone or `stop` is set."""

    def __init__(self, number, model, port, seed, stop, fault_began):
        super().__init__(daemon=True)
        self.number, self.model, self.state = number, model, model.states[number]
        self.client = Client(port)
        self.random = random.Random(f"{seed}/{model.round}/{number}")
        self.stop, self.fault_began = stop, fault_began
        self.complaints = []

    def run(self):
        actions = [(self.put_small, 28), (self.put_large, 18), (self.delete, 12),
                   (self.create_upload, 8), (self.put_part, 22), (self.complete, 8),
                   (self.abort, 3), (self.put_if_absent, 6), (self.put_if_match, 6),
                   (self.race, 6), (self.create_deduplicated, 5), (self.fill_part, 5)]
        names, weights = zip(*actions, strict=True)
        try:
            while not self.stop.is_set():
                if not self.random.choices(names, weights)[0]():
                    break
        except TooSlow as error:
            self.complaints.append(f"writer {self.number}: {error}")
        except Broken as error:
            if not self.fault_began.is_set():
                self.complaints.append(f"writer {self.number}, before the fault: {error}")
        finally:
            self.client.close()

    def content(self, bounds):
        """New bytes, or sometimes a shared content if they may be large."""
        if bounds == LARGE_BYTES and self.random.random() < 0.3:
            return self.random.choice(SHARED)
        return Content(((self.random.getrandbits(60), self.random.randint(*bounds)),))

    def key(self):
        """One of the writer's keys."""
        return f"writer-{self.number}/a key+{self.random.randrange(KEYS_PER_WRITER)}"

    def send(self, method, key, **rest):
        """Sends one request for a key."""
        return self.client.request(method, f"/{BUCKET}/{key}", **rest)

    def is_unknown(self, answer, doing):
        """True if the answer leaves the outcome open; then the writer ends."""
        if answer.status < 500:
            return False
        if not self.fault_began.is_set():
            self.complaints.append(f"{doing}, before the fault: {answer}")
        return True

    def change(self, method, key, content, wanted=(200,), **rest):
        """Sends a change of one key; returns False when the outcome is unknown."""
        doing = f"{method} {key} {rest.get('headers', '')}"
        self.state.note_sent(key, content)
        answer = self.send(method, key, **rest)
        if self.is_unknown(answer, doing):
            return False
        if answer.status not in wanted:
            self.complaints.append(f"{doing}: {answer}, not {wanted}")
        if answer.status < 300:
            self.state.note_content(key, content)
            self.state.acknowledged += 1
        else:
            self.state.note_refused(key)
        return True

    def put(self, bounds, headers=None, wanted=(200,), key=None):
        """PutObject with new bytes."""
        content = self.content(bounds)
        return self.change("PUT", key or self.key(), content, wanted, headers=headers,
                           body=content.body())

    def put_small(self):
        """PutObject of a body that is kept in SQLite or a segment."""
        return self.put(SMALL_BYTES)

    def put_large(self):
        """PutObject of a body that is kept in a segment or a file."""
        return self.put(LARGE_BYTES)

    def delete(self):
        """DeleteObject, of a key that may be absent."""
        return self.change("DELETE", self.key(), ABSENT, wanted=(204,))

    def put_if_absent(self):
        """PutObject with If-None-Match; must succeed exactly if the key is absent."""
        key = self.key()
        there = self.state.objects.get(key) is not ABSENT
        return self.put(SMALL_BYTES, {"if-none-match": "*"}, (412,) if there else (200,), key)

    def put_if_match(self):
        """PutObject with If-Match; must succeed exactly with the ETag of the object."""
        key = self.key()
        old = self.state.objects.get(key)
        right = self.random.random() < 0.7
        etag = old.etag() if old and right else "0" * 32
        wanted = (404,) if old is ABSENT else (200,) if right else (412,)
        bounds = self.random.choice((SMALL_BYTES, LARGE_BYTES))
        return self.put(bounds, {"if-match": f'"{etag}"'}, wanted, key)

    def race(self):
        """Tries to create a key that all writers try to create."""
        key = f"race/{self.model.round}-{self.random.randrange(12)}"
        content, races = self.content(SMALL_BYTES), self.model.races
        races.note_sent(key, content)
        answer = self.send("PUT", key, headers={"if-none-match": "*"}, body=content.body())
        if self.is_unknown(answer, f"race for {key}"):
            return False
        if answer.status == 200:
            self.state.acknowledged += 1
            if not races.note_success(key, content):
                self.complaints.append(f"{key} was created twice")
        elif answer.status not in (409, 412):
            self.complaints.append(f"race for {key}: {answer}")
        elif not races.note_conflict(key, content):
            self.complaints.append(f"{key}: 412, but it was never created")
        return True

    def create_upload(self):
        """CreateMultipartUpload, up to UPLOADS_PER_WRITER open ones."""
        if len(self.state.open_uploads()) >= UPLOADS_PER_WRITER:
            return True
        return self.send_create(self.key())

    def create_deduplicated(self):
        """CreateMultipartUpload of a shared content, which may be stored already."""
        if len(self.state.open_uploads()) >= UPLOADS_PER_WRITER:
            return True
        return self.send_create_deduplicated(self.key(), self.random.choice(SHARED))

    def fill_part(self):
        """Fills a part by the digest of a shared content, which may be stored already."""
        upload = self.pick_for_parts()
        if not upload:
            return self.create_upload()
        number = self.random.randint(1, PART_NUMBERS)
        return self.send_digest(upload, number, self.random.choice(SHARED))

    def put_part(self):
        """UploadPart of a new part or one that is there."""
        upload = self.pick_for_parts()
        if not upload:
            return self.create_upload()
        bounds = self.random.choice((SMALL_BYTES, LARGE_BYTES))
        return self.send_part(upload, self.random.randint(1, PART_NUMBERS), self.content(bounds))

    def complete(self):
        """CompleteMultipartUpload of all parts, sometimes twice."""
        upload = self.pick_upload()
        if not upload or not upload.parts:
            return self.put_part()
        known = self.send_complete(upload)
        if known and self.random.random() < 0.3:
            known = self.send_complete(upload)
        self.state.forget_old_uploads(ENDED_UPLOADS_KEPT)
        return known

    def abort(self):
        """AbortMultipartUpload."""
        upload = self.pick_upload()
        return self.send_abort(upload) if upload else True

    def pick_upload(self):
        """One of the open uploads, or None."""
        uploads = self.state.open_uploads()
        return self.random.choice(uploads) if uploads else None

    def pick_for_parts(self):
        """One of the open uploads to which parts are sent, or None."""
        uploads = self.state.uploads_for_parts()
        return self.random.choice(uploads) if uploads else None

    def send_create_deduplicated(self, key, content):
        """Creates an upload with a declared content; aborts it if that is not stored already."""
        # Unique metadata, so that no other Create of the same content finds this upload.
        headers = {"x-partita-object-size": content.size, "x-partita-part-size": content.size,
                   "x-partita-content-sha256": content.sha256(),
                   "x-amz-meta-own": f"{self.random.getrandbits(60):x}"}
        answer = self.send("POST", key, query={"uploads": ""}, headers=headers)
        if self.is_unknown(answer, f"declare a file for {key}"):
            return False
        state = answer.headers.get("x-partita-upload")
        if answer.status != 200 or state not in ("instant", "created"):
            self.complaints.append(f"declare a file for {key}: {answer} {state}")
            return True
        upload = Upload(key, answer.xml().findtext("UploadId"), {1: content}, deduplicated=True)
        if state == "created":
            answer = self.send("DELETE", key, query={"uploadId": upload.id})
            return not self.is_unknown(answer, f"abort {key}")
        self.state.uploads.append(upload)
        self.state.acknowledged += 1
        return True

    def send_digest(self, upload, number, content):
        """Fills one part by its digest, if its bytes are stored."""
        upload.unanswered_parts[number] = content
        claim = [{"partNumber": number, "size": content.size, "sha256": content.sha256()}]
        answer = self.send("POST", upload.key, body=json.dumps(claim).encode(),
                           query={"uploadId": upload.id, "partita-blocks": ""})
        if self.is_unknown(answer, f"the digest of part {number} of {upload.key}"):
            return False
        del upload.unanswered_parts[number]
        if answer.status != 200:
            self.complaints.append(f"the digest of part {number} of {upload.key}: {answer}")
            return True
        blocks = json.loads(answer.body)["expectBlocks"]
        if not any(block["firstPart"] <= number <= block["lastPart"] for block in blocks):
            upload.parts[number] = content
            self.state.acknowledged += 1
        return True

    def send_create(self, key):
        """Creates an upload. All `send_` methods return False when the outcome is unknown."""
        answer = self.send("POST", key, query={"uploads": ""})
        if self.is_unknown(answer, f"create an upload of {key}"):
            return False
        if answer.status != 200:
            self.complaints.append(f"create an upload of {key}: {answer}")
            return True
        with_digest = self.random.random() < 0.5
        upload = Upload(key, answer.xml().findtext("UploadId"), with_digest=with_digest)
        self.state.uploads.append(upload)
        self.state.acknowledged += 1
        return True

    def send_part(self, upload, number, content):
        """Sends one part."""
        upload.unanswered_parts[number] = content
        answer = self.send("PUT", upload.key, body=content.body(),
                           query={"uploadId": upload.id, "partNumber": number})
        if self.is_unknown(answer, f"part {number} of {upload.key}"):
            return False
        del upload.unanswered_parts[number]
        if answer.status != 200 or answer.etag != content.etag():
            self.complaints.append(f"part {number} of {upload.key}: {answer} {answer.etag}")
            return True
        upload.parts[number] = content
        self.state.acknowledged += 1
        return True

    def send_complete(self, upload):
        """Completes an upload, for the first time or again."""
        if not upload.ended:
            upload.result, upload.ending = upload.joined(), "complete"
            self.state.note_sent(upload.key, upload.result)
        answer = repeat_complete(self.client, upload)
        if self.is_unknown(answer, f"complete {upload.key}"):
            return False
        if answer.status != 200 or upload.result.etag() not in answer.body.decode():
            self.complaints.append(f"complete {upload.key}: {answer}")
            return False
        if not upload.ended:
            upload.ended = "complete"
            self.state.note_content(upload.key, upload.result)
            self.state.acknowledged += 1
        return True

    def send_abort(self, upload):
        """Aborts an upload."""
        upload.ending = "abort"
        answer = self.send("DELETE", upload.key, query={"uploadId": upload.id})
        if self.is_unknown(answer, f"abort {upload.key}"):
            return False
        if answer.status != 204:
            self.complaints.append(f"abort {upload.key}: {answer}")
        upload.ended = "abort"
        self.state.acknowledged += 1
        return True


def repeat_complete(client, upload):
    """Sends Complete with the parts of the upload's result."""
    etags = [(number, content.etag()) for number, content in upload.parts.items()]
    # An object of one part has the same digest as the part.
    with_digest = upload.with_digest and len(upload.parts) > 1
    headers = {"x-partita-content-sha256": upload.result.sha256()} if with_digest else {}
    return client.request("POST", f"/{BUCKET}/{upload.key}", query={"uploadId": upload.id},
                          headers=headers, body=complete_document(sorted(etags)))


def make_bucket(client):
    """Makes the bucket of these tests, if it is not there."""
    answer = client.request("PUT", f"/{BUCKET}")
    if answer.status not in (200, 409):
        raise RuntimeError(f"cannot make the bucket: {answer} {answer.body!r}")


class WriterGroup:
    """All writers of one round. Answers after `fault_began` is set do not count."""

    def __init__(self, model, port, seed):
        self.stop, self.fault_began = threading.Event(), threading.Event()
        model.round += 1
        self.writers = [Writer(number, model, port, seed, self.stop, self.fault_began)
                        for number in range(len(model.states))]
        for writer in self.writers:
            writer.client.cut = self.fault_began
            writer.start()

    def end(self):
        """Stops all writers; returns their complaints."""
        self.stop.set()
        for writer in self.writers:
            writer.join()
        return [line for writer in self.writers for line in writer.complaints]
