"""A client of S3 that never retries: one request, one answer, or Broken.

A retry would hide whether a request without an answer took effect.
"""

import http.client
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

import sigv4
from server import ACCESS_KEY, SECRET_KEY

ANSWER_SECONDS_MAX = 20
REGION = "us-east-1"


class Broken(Exception):
    """The answer did not come, or not whole: the outcome of the request is unknown."""


class TooSlow(Broken):
    """No answer within ANSWER_SECONDS_MAX: the server hangs."""


class Answer:
    """Status, headers (lower case) and the whole body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def code(self):
        """S3's error code, empty if there is none."""
        found = re.search(rb"<Code>([^<]+)</Code>", self.body)
        return found.group(1).decode() if found else ""

    @property
    def etag(self):
        """The entity tag without quotes."""
        return self.headers.get("etag", "").strip('"')

    def xml(self):
        """The document without its name space."""
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", self.body, count=1))

    def __repr__(self):
        return f"{self.status} {self.code}".strip()


class Client:
    """Requests of root over one connection, for one thread."""

    def __init__(self, port, cut=None):
        self.host = f"127.0.0.1:{port}"
        self.connection = None
        # An event. An answer after it does not count: without power it might not have been sent.
        self.cut = cut

    def request(self, method, path, query=None, headers=None, body=b""):
        """Sends one signed request. Raises Broken when the answer does not come whole."""
        pairs = sorted((_quote(k), _quote(v)) for k, v in (query or {}).items())
        text = "&".join(f"{name}={value}" for name, value in pairs)
        path = urllib.parse.quote(path, safe="/-._~")
        signed = sigv4.signed_headers(method, path, text, (headers or {}) | {"host": self.host},
                                      "UNSIGNED-PAYLOAD", (ACCESS_KEY, SECRET_KEY), REGION)
        if body or method in ("PUT", "POST"):
            signed["content-length"] = str(len(body))
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=ANSWER_SECONDS_MAX)
            self.connection.request(method, path + ("?" + text if text else ""), body or None,
                                    signed)
            answer = self.connection.getresponse()
            data = answer.read()
        except TimeoutError as error:
            self.close()
            raise TooSlow(f"{method} {path}: no answer in {ANSWER_SECONDS_MAX} s") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{method} {path}: {error!r}") from error
        if answer.will_close:
            self.close()
        if self.cut and self.cut.is_set():
            raise Broken(f"{method} {path}: answered after the cut")
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, data)

    def close(self):
        """Forgets the connection; the next request opens another."""
        if self.connection:
            self.connection.close()
        self.connection = None

def _quote(text):
    return urllib.parse.quote(str(text), safe="-._~")
