"""What the server has acknowledged, and what it may therefore show: the rigs' oracle.

It lives in this process, outside the file system under test. A change enters as a fact only after
the whole 200; from sending until then it is a doubt, and a doubt may turn out either way, wholly.
"""

import dataclasses
import functools
import hashlib
import random
import threading


@dataclasses.dataclass(frozen=True)
class Content:
    """Bytes that can be made again: pieces of (seed, size). An object of parts has its own ETag."""

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
    """One multipart upload. `ended` is a fact, `ending` a doubt: "complete" or "abort"."""

    key: str
    id: str
    parts: dict = dataclasses.field(default_factory=dict)
    part_doubts: dict = dataclasses.field(default_factory=dict)
    ended: str = ""
    ending: str = ""
    result: Content | None = None
    # Create found its bytes: `parts` is that one content, and none is sent.
    born: bool = False
    # Complete tells the SHA-256 of the whole, so that the server reads it.
    told: bool = False

    def joined(self):
        """The object that Complete would make of the acknowledged parts."""
        if self.born:
            return self.parts[1]
        pieces = tuple(self.parts[number].pieces[0] for number in sorted(self.parts))
        return Content(pieces, multipart=True)


class Book:
    """The keys and uploads of one writer, who is alone with them."""

    def __init__(self):
        self.objects = {}
        self.doubts = {}
        self.uploads = []
        self.acknowledged = 0

    def intend(self, key, content):
        """A change of `key` is about to be sent."""
        self.doubts.setdefault(key, []).append(content)

    def settle(self, key, content):
        """`key` holds `content`: it was acknowledged, or seen after a restart."""
        self.doubts.pop(key, None)
        self.objects[key] = content

    def refuse(self, key):
        """The server has answered no: the change did not happen."""
        self.doubts[key].pop()
        if not self.doubts[key]:
            del self.doubts[key]

    def allowed(self, key):
        """Everything that may be under `key`."""
        return [self.objects.get(key, ABSENT), *self.doubts.get(key, [])]

    def open_uploads(self):
        """Uploads that nobody has tried to end."""
        return [upload for upload in self.uploads if not upload.ended and not upload.ending]

    def fed_uploads(self):
        """Those of them to which parts are sent."""
        return [upload for upload in self.open_uploads() if not upload.born]

    def forget_old_uploads(self, keep):
        """Drops all but the last few ended uploads."""
        ended = [upload for upload in self.uploads if upload.ended]
        for upload in ended[:-keep]:
            self.uploads.remove(upload)


class Races:
    """Keys that all writers try to create at once, each with If-None-Match: only one may win."""

    def __init__(self):
        self.lock = threading.Lock()
        self.winners = {}
        self.doubts = {}

    def intend(self, key, content):
        """Somebody is about to try."""
        with self.lock:
            self.doubts.setdefault(key, []).append(content)

    def won(self, key, content):
        """Somebody got 200. Gives False if another did before."""
        with self.lock:
            self.doubts[key].remove(content)
            return self.winners.setdefault(key, content) == content

    def lost(self, key, content):
        """Somebody got 412. Gives False if there is nobody who could have won."""
        with self.lock:
            self.doubts[key].remove(content)
            return bool(key in self.winners or self.doubts[key])

    def allowed(self, key):
        """Everything that may be under `key`."""
        if key in self.winners:
            return [self.winners[key]]
        return [ABSENT, *self.doubts.get(key, [])]

    def tried(self):
        """Every key that was tried."""
        return sorted(set(self.winners) | set(self.doubts))

    def settle(self, key, content):
        """Seen after a restart."""
        self.doubts.pop(key, None)
        if content is not ABSENT:
            self.winners[key] = content

    def forget(self, key):
        """It was deleted, and nobody will try to create it again."""
        del self.winners[key]


class Model:
    """The books of all writers."""

    def __init__(self, writers):
        self.books = [Book() for _ in range(writers)]
        self.races = Races()
        self.round = 0

    @property
    def acknowledged(self):
        """Changes that were acknowledged since the beginning."""
        return sum(book.acknowledged for book in self.books)
