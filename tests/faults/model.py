"""The model: the changes that the server has acknowledged, and the contents that it may show.

The model is in the memory of this process, outside of the file system under test. A change is
acknowledged by a whole 200. From sending until then it is unanswered: after a restart it is there
wholly, or not at all.
"""

import dataclasses
import functools
import hashlib
import random
import threading


@dataclasses.dataclass(frozen=True)
class Content:
    """Bytes that can be made again, as pieces of (seed, size). `multipart` selects the ETag."""

    pieces: tuple
    multipart: bool = False

    def body(self):
        """The bytes."""
        return b"".join(random.Random(seed).randbytes(size) for seed, size in self.pieces)

    @functools.lru_cache(maxsize=256)  # noqa: B019  Contents are small.
    def sha256(self):
        """The SHA-256 of all bytes, in hexadecimal."""
        return hashlib.sha256(self.body()).hexdigest()

    @property
    def size(self):
        """Bytes."""
        return sum(size for _, size in self.pieces)

    @functools.lru_cache(maxsize=4096)  # noqa: B019
    def etag(self):
        """The entity tag as S3 defines it, without quotes."""
        digests = [hashlib.md5(random.Random(seed).randbytes(size)) for seed, size in self.pieces]
        if not self.multipart:
            return digests[0].hexdigest()
        joined = hashlib.md5(b"".join(digest.digest() for digest in digests)).hexdigest()
        return f"{joined}-{len(digests)}"


ABSENT = None


@dataclasses.dataclass
class Upload:
    """One multipart upload. `ending` is the request that was sent to end it, "complete" or
    "abort"; `ended` is the same when it was acknowledged or seen after a restart."""

    key: str
    id: str
    parts: dict = dataclasses.field(default_factory=dict)
    unanswered_parts: dict = dataclasses.field(default_factory=dict)
    ended: str = ""
    ending: str = ""
    result: Content | None = None
    # CreateMultipartUpload found the content stored: `parts` is that content, and none is sent.
    deduplicated: bool = False
    # Complete declares the SHA-256 of the object, so that the server reads it.
    with_digest: bool = False

    def joined(self):
        """The object that Complete would make of the acknowledged parts."""
        if self.deduplicated:
            return self.parts[1]
        pieces = tuple(self.parts[number].pieces[0] for number in sorted(self.parts))
        return Content(pieces, multipart=True)


class WriterState:
    """The keys and uploads of one writer. No other writer touches them."""

    def __init__(self):
        self.objects = {}
        self.unanswered = {}
        self.uploads = []
        self.acknowledged = 0

    def note_sent(self, key, content):
        """Notes a change of `key` that is about to be sent."""
        self.unanswered.setdefault(key, []).append(content)

    def note_content(self, key, content):
        """Notes that `key` holds `content`: acknowledged, or seen after a restart."""
        self.unanswered.pop(key, None)
        self.objects[key] = content

    def note_refused(self, key):
        """Notes a refusal: the change did not happen."""
        self.unanswered[key].pop()
        if not self.unanswered[key]:
            del self.unanswered[key]

    def allowed(self, key):
        """Every content that may be under `key`."""
        return [self.objects.get(key, ABSENT), *self.unanswered.get(key, [])]

    def open_uploads(self):
        """Uploads without an attempt to end them."""
        return [upload for upload in self.uploads if not upload.ended and not upload.ending]

    def uploads_for_parts(self):
        """Open uploads to which parts are sent."""
        return [upload for upload in self.open_uploads() if not upload.deduplicated]

    def forget_old_uploads(self, keep):
        """Drops all but the last few ended uploads."""
        ended = [upload for upload in self.uploads if upload.ended]
        for upload in ended[:-keep]:
            self.uploads.remove(upload)


class Races:
    """Keys that all writers try to create at once with If-None-Match: only one may succeed."""

    def __init__(self):
        self.lock = threading.Lock()
        self.winners = {}
        self.unanswered = {}

    def note_sent(self, key, content):
        """Notes an attempt that is about to be sent."""
        with self.lock:
            self.unanswered.setdefault(key, []).append(content)

    def note_success(self, key, content):
        """Notes a 200. Returns False if there was one before."""
        with self.lock:
            self.unanswered[key].remove(content)
            return self.winners.setdefault(key, content) == content

    def note_conflict(self, key, content):
        """Notes a 412. Returns False if no other attempt could have succeeded."""
        with self.lock:
            self.unanswered[key].remove(content)
            return bool(key in self.winners or self.unanswered[key])

    def allowed(self, key):
        """Every content that may be under `key`."""
        if key in self.winners:
            return [self.winners[key]]
        return [ABSENT, *self.unanswered.get(key, [])]

    def all_keys(self):
        """All keys of attempts."""
        return sorted(set(self.winners) | set(self.unanswered))

    def note_content(self, key, content):
        """Notes what was seen after a restart."""
        self.unanswered.pop(key, None)
        if content is not ABSENT:
            self.winners[key] = content

    def forget(self, key):
        """Forgets a key that was deleted and is not tried again."""
        del self.winners[key]


class Model:
    """The states of all writers."""

    def __init__(self, writers):
        self.states = [WriterState() for _ in range(writers)]
        self.races = Races()
        self.round = 0

    @property
    def acknowledged(self):
        """Changes that were acknowledged since the start."""
        return sum(state.acknowledged for state in self.states)
