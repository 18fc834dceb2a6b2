"""Signatures of versions 4 and 2, and the digests that requests carry."""

import base64
import hashlib
import hmac
import time
import zlib
from urllib.parse import quote, unquote, unquote_to_bytes

import sigv4
from bad_input.values import REGION
from sigv4 import sha256

SIGNATURES = set()  # Every signature made, to look for them in the log.


def base64_of(data):
    return base64.b64encode(data).decode()


def md5(data):
    return base64_of(hashlib.md5(data).digest())


def crc32(data):
    return base64_of(zlib.crc32(data).to_bytes(4, "big"))


def _encode(text, safe=""):
    return quote(unquote_to_bytes(text.encode("latin-1")), safe=safe + "-._~")


def _split(target):
    """The path of a request target and the pairs of its query, both still encoded."""
    path, _, query = target.partition("?")
    pairs = [pair.partition("=")[::2] for pair in query.split("&") if pair]
    return path, pairs


def basic_time(offset=0):
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))


class Signer:
    """Signature version 4 of one request, and of the chunks and the trailer that follow it."""

    def __init__(self, key, date, region=REGION):
        self.date, self.scope = date, sigv4.scope(date, region)
        self.credential = f"{key.id}/{self.scope}"
        self.key = sigv4.signing_key(key.secret, self.scope)
        self.previous = ""

    def _sign(self, algorithm, *lines):
        text = "\n".join([algorithm, self.date, self.scope, *lines])
        self.previous = sigv4.mac(self.key, text).hex()
        SIGNATURES.add(self.previous)
        return self.previous

    def request(self, method, target, headers, payload):
        """Signs a request whose `headers` (lower-case names) are all covered."""
        path, pairs = _split(target)
        query = "&".join(sorted(f"{_encode(n)}={_encode(v)}" for n, v in pairs))
        canonical = sigv4.canonical_request(method, _encode(path, "/"), query, headers, payload)
        return self._sign(sigv4.ALGORITHM, sha256(canonical.encode("latin-1")))

    def chunk(self, data):
        return self._sign("AWS4-HMAC-SHA256-PAYLOAD", self.previous, sha256(b""), sha256(data))

    def trailer(self, name, value):
        line = f"{name}:{value}\n".encode()
        return self._sign("AWS4-HMAC-SHA256-TRAILER", self.previous, sha256(line))


def signature_v2(key, method, target, expires):
    """Signature version 2 of a presigned URL; every word of `target` is taken as a sub-resource."""
    path, pairs = _split(target)
    words = "&".join(f"{n}={unquote(v)}" if v else n for n, v in sorted(pairs))
    text = f"{method}\n\n\n{expires}\n{path}{'?' * bool(words)}{words}"
    signature = base64_of(hmac.new(key.secret.encode(), text.encode(), hashlib.sha1).digest())
    SIGNATURES.add(signature)
    return signature
