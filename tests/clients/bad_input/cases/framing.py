"""HTTP itself: hosts, lengths, chunks, header lines."""

from bad_input.case import Case, http_chunks
from bad_input.values import BUCKET, HELLO, KIB, TARGET, UNSIGNED
from bad_input.wire import StepFailed

ONE_CHUNK = b"5\r\nhello\r\n0\r\n\r\n"


def smuggled(*headers, body, target=TARGET):
    """A PUT whose framing can be read in two ways, with a GET hidden in one of them."""
    def run(g):
        head = g.signed("PUT", target, payload=UNSIGNED, length=False)
        lines = "".join(f"{line}\r\n" for line in headers).encode("latin-1")
        return g.raw(head[:-2] + lines + b"\r\n" + body + g.bare("GET", "/"), alone=True)
    return run


def both_lengths(*headers):
    """Content-Length and Transfer-Encoding: if accepted, the content of the chunks is stored."""
    def run(g):
        target = f"/{BUCKET}/both-lengths"
        answer = smuggled(*headers, body=ONE_CHUNK, target=target)(g)
        if answer.status == 200:
            if (body := g.must(200, "GET", target).body) != b"hello":
                raise StepFailed(f"{body!r} was stored")
            g.must(204, "DELETE", target)
        return answer
    return run


CASES = [
    Case("two Host headers", lambda g: g.put(unsigned=[("Host", "other")]),
         400, ("-", "BadRequest")),
    Case("no Host header", lambda g: g.put(host=""), 400, ("-", "BadRequest")),
    Case("HTTP/1.0 without Host", lambda g: g.raw(b"GET / HTTP/1.0\r\n\r\n"),
         400, ("-", "BadRequest")),
    Case("absolute-form target", lambda g: g.ask(
         "GET", HELLO, wire_target=f"http://{g.host}{HELLO}"), 200),
    Case("absolute-form target of another host", lambda g: g.ask(
         "GET", HELLO, wire_target=f"http://other.example{HELLO}"), 400, ("-", "BadRequest")),
    Case("asterisk-form target", lambda g: g.raw(g.bare("OPTIONS", "*")),
         (400, 405), ("-", "InvalidURI", "MethodNotAllowed")),
    Case("CONNECT", lambda g: g.raw(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"),
         (400, 405), ("-", "InvalidURI", "BadRequest", "MethodNotAllowed")),
    Case("TLS on a plain port", lambda g: g.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
         (400, "closed")),
    Case("HTTP/2 preface", lambda g: g.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
         (400, 505, "closed")),
    # With both, the chunks count and the connection ends (RFC 9112, 6.3), or it is refused.
    Case("CL and TE", both_lengths("Content-Length: 5", "Transfer-Encoding: chunked"),
         (200, 400, 411), ("-", "BadRequest", "MissingContentLength")),
    Case("TE and CL", both_lengths("Transfer-Encoding: chunked", "Content-Length: 5"),
         (200, 400, 411), ("-", "BadRequest", "MissingContentLength")),
    Case("TE: chunked, identity", smuggled(
         "Transfer-Encoding: chunked, identity", body=ONE_CHUNK), 400, ("-", "BadRequest")),
    Case("TE: xchunked", smuggled("Transfer-Encoding: xchunked", body=ONE_CHUNK),
         (400, 501), ("-", "BadRequest")),
    Case("TE with a space before the colon", smuggled(
         "Transfer-Encoding : chunked", "Content-Length: 5", body=b"hello"), 400),
    Case("two Content-Length, differing", smuggled(
         "Content-Length: 5", "Content-Length: 6", body=b"hello"), 400),
    Case("two Content-Length in one line", smuggled("Content-Length: 5, 5", body=b"hello"), 400),
    *[Case(f"Content-Length: {value}", smuggled(f"Content-Length: {value}", body=b"hello"), 400,
           ("-", "InvalidArgument")) for value in ("+5", "-5", "0x5", "5 5", "", "9" * 20)],
    Case("obs-fold", smuggled("X-Folded: a", " b: c", "Content-Length: 5", body=b"hello"), 400),
    # A bare LF may be taken for a line end (RFC 9112, 2.2), so nothing can hide behind one.
    Case("bare LF before an unsigned x-amz-acl", lambda g: g.put(
         unsigned=[("X-A", "b\nx-amz-acl: private")]), (400, 403), ("-", "AccessDenied")),
    Case("bare LF before another Content-Length", smuggled(
         "X-A: b\nContent-Length: 6", "Content-Length: 5", body=b"hello"), 400),
    Case("bare LF before another Host", lambda g: g.put(unsigned=[("X-A", "b\nHost: other")]),
         400, ("-", "BadRequest")),
    Case("bare CR in a header", smuggled("X-A: b\rX-B: c", "Content-Length: 5", body=b"hello"),
         400),
    Case("NUL in a header", smuggled("X-A: b\0c", "Content-Length: 5", body=b"hello"), 400),
    Case("HTTP chunk of size zz", lambda g: g.raw(
         http_chunks(g, b"zz\r\nhello\r\n0\r\n\r\n"), alone=True), 400, ("-", "IncompleteBody")),
    Case("HTTP chunk of 2^64 bytes", lambda g: g.raw(
         http_chunks(g, b"1" + b"0" * 16 + b"\r\nhello"), alone=True),
         400, ("-", "IncompleteBody")),
    Case("60 KiB header", lambda g: g.put([("x-amz-meta-a", "a" * 60 * KIB)]),
         (400, 431), ("-", "RequestHeaderSectionTooLarge")),
    Case("200 headers", lambda g: g.put(unsigned=[(f"X-{n}", "") for n in range(200)]),
         (400, 431), ("-", "RequestHeaderSectionTooLarge")),
    Case("after all this, a good request", lambda g: g.ask("GET", HELLO), 200),
]
