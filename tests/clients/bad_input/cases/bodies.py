"""Bodies that are not what their headers, trailers and signatures say."""

import socket
import time

from bad_input.case import Case
from bad_input.signing import crc32, md5, sha256
from bad_input.values import (
    ANSWER_SECONDS_MAX,
    CRC32,
    KIB,
    LARGE,
    MIB,
    MISMATCH,
    SIGNED_CHUNKS,
    SIGNED_TRAILER,
    SMALL,
    TARGET,
    UNSIGNED,
    UNSIGNED_TRAILER,
)
from bad_input.wire import StepFailed


def truncated(body, half_closed=False, chunks=False):
    """A client that disconnects in the middle of a body: nothing may be stored.

    With `chunks`, every byte arrives in HTTP's own chunks, and only the last, empty one is missing.
    """
    def run(g):
        if chunks:
            data = g.signed("PUT", TARGET, payload=UNSIGNED, length=False,
                            unsigned=[("Transfer-Encoding", "chunked")])
            data += b"%x\r\n%b\r\n" % (len(body), body)
        else:
            data = g.signed("PUT", TARGET, body, payload=UNSIGNED)[:-len(body) // 2]
        with socket.create_connection(("127.0.0.1", g.port), ANSWER_SECONDS_MAX) as peer:
            peer.sendall(data)
            if half_closed:
                peer.shutdown(socket.SHUT_WR)
                try:
                    if peer.recv(KIB).startswith(b"HTTP/1.1 2"):
                        raise StepFailed("a 2xx for half a body")
                except ConnectionError:
                    pass
        time.sleep(0.3)
        return g.ask("GET", TARGET)
    return run


CASES = [
    # Bytes that are not what was said of them, small (in memory) and large (through a file).
    *[case for size, body in (("small", SMALL), ("large", LARGE)) for case in (
        Case(f"{size}: connection closed in the body", truncated(body), 404, "NoSuchKey"),
        Case(f"{size}: half-closed in the body", truncated(body, half_closed=True),
             404, "NoSuchKey"),
        Case(f"{size}: closed before the last HTTP chunk", truncated(body, chunks=True),
             404, "NoSuchKey"),
        Case(f"{size}: half-closed before the last chunk", truncated(body, True, chunks=True),
             404, "NoSuchKey"),
        Case(f"{size}: wrong Content-MD5", lambda g, body=body: g.put(
             [("Content-MD5", md5(b"other"))], body), 400, "BadDigest"),
        Case(f"{size}: malformed Content-MD5", lambda g, body=body: g.put(
             [("Content-MD5", "abc")], body), 400, "InvalidDigest"),
        Case(f"{size}: wrong SHA-256", lambda g, body=body: g.put(
             body=body, payload=sha256(b"other")), 400, "XAmzContentSHA256Mismatch"),
        Case(f"{size}: wrong checksum header", lambda g, body=body: g.put(
             [(CRC32, crc32(b"other"))], body), 400, "BadDigest"),
        Case(f"{size}: malformed checksum header", lambda g, body=body: g.put(
             [(CRC32, "abc")], body), 400, ("BadDigest", "InvalidRequest")),
        Case(f"{size}: two checksum headers", lambda g, body=body: g.put(
             [(CRC32, crc32(body)), ("x-amz-checksum-sha256", "abc")], body),
             400, "InvalidRequest"),
        Case(f"{size}: wrong trailer checksum", lambda g, body=body: g.raw(
             g.framed(UNSIGNED_TRAILER, body, crc=crc32(b"other"))), 400, "BadDigest"),
        Case(f"{size}: trailer not announced", lambda g, body=body: g.raw(
             g.framed(UNSIGNED_TRAILER, body, swap=(b"crc32:", b"sha1:"))),
             400, "MalformedTrailerError"),
        Case(f"{size}: no trailer", lambda g, body=body: g.raw(g.framed(
             UNSIGNED_TRAILER, body, swap=(f"{CRC32}:{crc32(body)}\r\n".encode(), b""))),
             400, "MalformedTrailerError"),
        Case(f"{size}: aws-chunked, shorter than declared", lambda g, body=body: g.raw(
             g.framed(UNSIGNED_TRAILER, body, declared=len(body) + 1)), 400, "IncompleteBody"),
        Case(f"{size}: aws-chunked, longer than declared", lambda g, body=body: g.raw(
             g.framed(SIGNED_CHUNKS, body, declared=len(body) - 1)), 400, "IncompleteBody"),
        Case(f"{size}: tampered signed chunk", lambda g, body=body: g.raw(
             g.framed(SIGNED_CHUNKS, body, swap=(b"canary", b"Canary"))), *MISMATCH),
        Case(f"{size}: tampered signed trailer", lambda g, body=body: g.raw(
             g.framed(SIGNED_TRAILER, body, crc=crc32(body),
                      swap=(crc32(body).encode(), crc32(b"other").encode()))), *MISMATCH),
        Case(f"{size}: signed trailer without signature", lambda g, body=body: g.raw(
             g.framed(SIGNED_TRAILER, body, swap=(b"x-amz-trailer-signature", b"x-other"))),
             400, "MalformedTrailerError"),
    )],
    Case("aws-chunked: chunk signature missing", lambda g: g.raw(
         g.framed(SIGNED_CHUNKS, SMALL, swap=(b";chunk-signature", b";other"))),
         (400, 403), ("InvalidRequest", "SignatureDoesNotMatch", "IncompleteBody")),
    Case("aws-chunked: huge chunk size", lambda g: g.raw(g.framed(
         UNSIGNED_TRAILER, SMALL, swap=(f"{len(SMALL):x}\r\n".encode(), b"ffffffffffffffff\r\n"))),
         400, "IncompleteBody"),
    Case("aws-chunked: endless chunk line", lambda g: g.raw(g.framed(
         UNSIGNED_TRAILER, SMALL, swap=(b"\r\nsmall", b"0" * 9000 + b"\r\nsmall"))),
         400, ("InvalidRequest", "InvalidChunkSizeError", "IncompleteBody")),
    Case("aws-chunked: bytes after the end", lambda g: g.raw(
         g.framed(SIGNED_CHUNKS, SMALL, swap=(b"\r\n\r\n", b"\r\n\r\nmore"))),
         400, ("InvalidRequest", "IncompleteBody")),
    Case("aws-chunked: no decoded length", lambda g: g.put(payload=UNSIGNED_TRAILER,
         headers=[("x-amz-trailer", CRC32)]), 411, "MissingContentLength"),
    Case("aws-chunked: on another operation", lambda g: g.ask(
         "DELETE", TARGET, payload=UNSIGNED_TRAILER,
         headers=[("x-amz-trailer", CRC32), ("x-amz-decoded-content-length", "0")]),
         400, "InvalidRequest"),
    Case("PUT without a length", lambda g: g.put(length=False), 411, "MissingContentLength"),
    Case("PUT of 5 GiB and a byte", lambda g: g.raw(g.signed(
         "PUT", TARGET, payload=UNSIGNED, length=False,
         unsigned=[("Content-Length", str(5 * 1024 * MIB + 1))])), 400, "EntityTooLarge"),
]
