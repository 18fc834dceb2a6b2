"""A client of S3 that never tries again: one request, one answer, or Broken.

A retry would hide what these rigs look for: whether an answer that never came was a yes or a no.
"""

import datetime
import hashlib
import hmac
import http.client
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree

from server import ACCESS_KEY, SECRET_KEY

PATIENCE_SECONDS = 20
REGION = "us-east-1"


class Broken(Exception):
    """The answer did not come, or not whole: the outcome of the request is unknown."""


class TooSlow(Broken):
    """Nothing came for PATIENCE_SECONDS: the server hangs."""


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
        """The document, its name space taken away."""
        return ElementTree.fromstring(re.sub(rb' xmlns="[^"]*"', b"", self.body, count=1))

    def __repr__(self):
        return f"{self.status} {self.code}".strip()


class Client:
    """Root's requests over one connection. For one thread."""

    def __init__(self, port):
        self.host = f"127.0.0.1:{port}"
        self.connection = None

    def request(self, method, path, query=None, headers=None, body=b""):
        """Sends one signed request. Raises Broken when the answer does not come whole."""
        pairs = sorted((_quote(k), _quote(v)) for k, v in (query or {}).items())
        text = "&".join(f"{name}={value}" for name, value in pairs)
        path = urllib.parse.quote(path, safe="/-._~")
        signed = self._sign(method, path, text, headers or {})
        if body or method in ("PUT", "POST"):
            signed["content-length"] = str(len(body))
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_SECONDS)
            self.connection.request(method, path + ("?" + text if text else ""), body or None,
                                    signed)
            answer = self.connection.getresponse()
            data = answer.read()
        except TimeoutError as error:
            self.close()
            raise TooSlow(f"{method} {path}: no answer in {PATIENCE_SECONDS} s") from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Broken(f"{method} {path}: {error!r}") from error
        if answer.will_close:
            self.close()
        return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, data)

    def close(self):
        """Forgets the connection; the next request opens another."""
        if self.connection:
            self.connection.close()
        self.connection = None

    def _sign(self, method, path, query, headers):
        now = datetime.datetime.now(datetime.timezone.utc)
        date, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
        headers = {name.lower(): str(value) for name, value in headers.items()}
        headers |= {"host": self.host, "x-amz-date": date,
                    "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = "\n".join([method, path, query, lines, names, "UNSIGNED-PAYLOAD"])
        scope = f"{day}/{REGION}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = ("AWS4" + SECRET_KEY).encode()
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        for word in (day, REGION, "s3", "aws4_request", text):
            key = hmac.new(key, word.encode(), hashlib.sha256).digest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope}, "
                                    f"SignedHeaders={names}, Signature={key.hex()}")
        return headers


def complete_document(parts):
    """The body of CompleteMultipartUpload for (number, etag) pairs."""
    listed = "".join(f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
                     for number, etag in sorted(parts))
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()


def _quote(text):
    return urllib.parse.quote(str(text), safe="-._~")
