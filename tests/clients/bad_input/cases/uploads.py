"""Multipart uploads: part numbers, upload ids, the document of Complete."""

from bad_input.case import Case, http_chunks
from bad_input.signing import md5
from bad_input.values import HELLO, LARGE, MIB, TARGET


def doctype(body):
    def run(g):
        part = "<Part><PartNumber>1</PartNumber><ETag>&a;</ETag></Part>"
        text = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
        return g.complete(document=f"<!DOCTYPE C [{body}]>{text}".encode())
    return run


BILLION_LAUGHS = '<!ENTITY z "ha">' + "".join(
    f'<!ENTITY {name} "{f"&{of};" * 10}">'
    for name, of in zip("yxwvutsra", "zyxwvutsr", strict=True))


CASES = [
    *[Case(f"part number {number}", lambda g, number=number: g.put(target=g.part(number)),
           400, "InvalidArgument") for number in ("0", "10001", "abc", "-1", "1.0", "")],
    Case("part number twice", lambda g: g.put(target=g.part(3) + "&partNumber=4"),
         400, ("InvalidArgument", "InvalidRequest")),
    Case("part with a wrong Content-MD5", lambda g: g.put(
         [("Content-MD5", md5(b"other"))], LARGE, g.part(3)), 400, "BadDigest"),
    Case("part of no upload", lambda g: g.put(
         target=f"{TARGET}?partNumber=1&uploadId=no-such"), 404, "NoSuchUpload"),
    Case("part under another key", lambda g: g.put(
         target=f"{TARGET}?partNumber=1&uploadId={g.upload}"), 404, "NoSuchUpload"),
    Case("uploadId of dots and slashes", lambda g: g.put(
         target=f"{TARGET}?partNumber=1&uploadId=..%2F..%2Fx"), 404, "NoSuchUpload"),
    Case("PUT ?uploadId without partNumber", lambda g: g.put(
         target=f"{TARGET}?uploadId={g.upload}"), 400, ("InvalidRequest", "InvalidArgument")),
    Case("PUT ?partNumber without uploadId", lambda g: g.put(target=f"{TARGET}?partNumber=1"),
         400, ("InvalidRequest", "InvalidArgument")),
    Case("copied part, range not understood", lambda g: g.put(
         [("x-amz-copy-source", HELLO), ("x-amz-copy-source-range", "bytes=5-1")], b"", g.part(3)),
         400, "InvalidArgument"),
    Case("copied part, range past the end", lambda g: g.put(
         [("x-amz-copy-source", HELLO), ("x-amz-copy-source-range", "bytes=0-99")], b"",
         g.part(3)), (400, 416), ("InvalidRange", "InvalidArgument")),
    Case("Complete: missing part", lambda g: g.complete((3, g.etags[1])), 400, "InvalidPart"),
    Case("Complete: wrong order", lambda g: g.complete((2, g.etags[2]), (1, g.etags[1])),
         400, "InvalidPartOrder"),
    Case("Complete: duplicate part", lambda g: g.complete((1, g.etags[1]), (1, g.etags[1])),
         400, "InvalidPartOrder"),
    Case("Complete: too small part", lambda g: g.complete((1, g.etags[1]), (2, g.etags[2])),
         400, "EntityTooSmall"),
    Case("Complete: wrong ETag", lambda g: g.complete((2, g.etags[1])), 400, "InvalidPart"),
    Case("Complete: part 10001", lambda g: g.complete((10001, g.etags[1])),
         400, ("InvalidArgument", "MalformedXML")),
    Case("Complete: wrong object size", lambda g: g.complete(
         (2, g.etags[2]), headers=[("x-amz-mp-object-size", "1")]), 400, "InvalidRequest"),
    Case("Complete: wrong object checksum", lambda g: g.complete(
         (2, g.etags[2]), headers=[("x-amz-checksum-crc64nvme", "AAAAAAAAAAA=")]),
         400, ("BadDigest", "InvalidRequest")),
    Case("Complete: empty list", lambda g: g.complete(), 400, "MalformedXML"),
    *[Case(f"Complete: {name}", lambda g, document=document: g.complete(document=document),
           400, "MalformedXML") for name, document in (
        ("no document", b""), ("malformed XML", b"<CompleteMultipartUpload><Part>"),
        ("not XML", b"\x00\xff\xfe"), ("another root", b"<Delete/>"),
        ("part without ETag", b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part>"
         b"</CompleteMultipartUpload>"),
        ("deep XML", b"<CompleteMultipartUpload>" + b"<a>" * 50_000))],
    Case("Complete: DOCTYPE", doctype('<!ELEMENT a ANY>'), 400, "MalformedXML"),
    Case("Complete: entity from a file", doctype('<!ENTITY a SYSTEM "file:///etc/passwd">'),
         400, "MalformedXML"),
    Case("Complete: entities that grow", doctype(BILLION_LAUGHS), 400, "MalformedXML"),
    Case("Complete: 9 MiB", lambda g: g.complete(document=b" " * (9 * MIB)),
         400, ("MaxMessageLengthExceeded", "EntityTooLarge")),
    Case("Complete: 9 MiB in HTTP chunks", lambda g: g.raw(
         http_chunks(g, b"%x\r\n" % (9 * MIB) + bytes(9 * MIB) + b"\r\n0\r\n\r\n")),
         400, ("MaxMessageLengthExceeded", "EntityTooLarge")),
    Case("Abort of another key's upload", lambda g: g.ask(
         "DELETE", f"{TARGET}?uploadId={g.upload}"), 404, "NoSuchUpload"),
]
