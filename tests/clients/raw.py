"""A small S3 client: Signature V4 over http.client, nothing else.

It makes buckets, seeds objects and reads back what another client stored, so that no client checks
its own upload. One instance has one connection: use one for each thread.
"""

import http.client
import re
import ssl
import urllib.parse
import xml.etree.ElementTree as ElementTree

import sigv4

REGION = "us-east-1"
UNRESERVED = "-._~"


class RawError(Exception):
    """An answer that is not a success; holds the status and S3's error code."""

    def __init__(self, status, body):
        found = re.search(rb"<Code>([^<]+)</Code>", body)
        self.status = status
        self.code = found.group(1).decode() if found else ""
        super().__init__(f"{status} {self.code}".strip())


class Raw:
    """Signed requests to one endpoint."""

    def __init__(self, endpoint, access_key, secret_key, region=REGION, ca_file=None):
        self.url = urllib.parse.urlsplit(endpoint)
        self.credentials, self.region = (access_key, secret_key), region
        self.tls = ssl.create_default_context(cafile=ca_file) if ca_file else None
        self.connection = None

    @classmethod
    def of(cls, server, ca_file=None):
        """A client of a running server, as root."""
        return cls(server.endpoint, server.access_key, server.secret_key, REGION, ca_file)

    def request(self, method, bucket="", key=None, query=(), headers=(), body=b""):
        """Sends one request; returns (headers, body) of a 2xx answer, else raises RawError."""
        path = "/" + urllib.parse.quote(bucket, safe=UNRESERVED)
        if key is not None:
            path += "/" + urllib.parse.quote(key, safe="/" + UNRESERVED)
        pairs = sorted((_quote(name), _quote(value)) for name, value in dict(query).items())
        query_text = "&".join(f"{name}={value}" for name, value in pairs)
        signed = sigv4.signed_headers(method, path, query_text,
                                      dict(headers) | {"host": self.url.netloc},
                                      sigv4.sha256(body), self.credentials, self.region)
        target = path + ("?" + query_text if query_text else "")
        answer, data = self._exchange(method, target, body, signed)
        if not 200 <= answer.status < 300:
            raise RawError(answer.status, data)
        return {name.lower(): value for name, value in answer.getheaders()}, data

    def _exchange(self, method, target, body, headers):
        # The server may have closed a kept connection; a new one is tried once.
        for attempt in (1, 2):
            fresh = self.connection is None
            try:
                if fresh:
                    self.connection = self._connect()
                self.connection.request(method, target, body or None, headers)
                answer = self.connection.getresponse()
                data = answer.read()
                if answer.will_close:
                    self.close()
                return answer, data
            except (OSError, http.client.HTTPException):
                self.close()
                if fresh or attempt == 2:
                    raise
        raise AssertionError("the loop returns or raises")

    def _connect(self):
        if self.tls:
            return http.client.HTTPSConnection(self.url.hostname, self.url.port,
                                               timeout=60, context=self.tls)
        return http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def head(self, bucket, key):
        """The headers of an object; RawError 404 when it is not there."""
        return self.request("HEAD", bucket, key)[0]

    def keys(self, bucket, prefix=""):
        """Every key with the prefix, over all pages."""
        found, token = [], None
        while True:
            query = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
            if token:
                query["continuation-token"] = token
            root = ElementTree.fromstring(self.request("GET", bucket, query=query)[1])
            space = re.match(r"\{.*\}|", root.tag).group(0)
            for entry in root.iter(space + "Contents"):
                found.append(urllib.parse.unquote(entry.findtext(space + "Key")))
            token = root.findtext(space + "NextContinuationToken")
            if not token:
                return found


def _quote(text):
    return urllib.parse.quote(str(text), safe=UNRESERVED)
