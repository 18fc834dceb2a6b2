"""Words of the query and values of parameters and headers."""

from bad_input.case import Case
from bad_input.values import BUCKET, HELLO, KIB, OTHERS, SMALL, TARGET

CASES = [
    Case("two operations' words", lambda g: g.ask("GET", f"{HELLO}?acl&tagging"),
         400, "InvalidRequest"),
    Case("two operations' words on a bucket", lambda g: g.ask("GET", f"/{BUCKET}?uploads&versions"),
         400, "InvalidRequest"),
    Case("copy source and part words of half", lambda g: g.put(
         [("x-amz-copy-source", HELLO)], b"", f"{TARGET}?uploadId={g.upload}"),
         400, "InvalidRequest"),
    Case("unknown sub-resource (torrent)", lambda g: g.ask("GET", f"{HELLO}?torrent"),
         501, "NotImplemented"),
    Case("unknown sub-resource (partita-nothing)", lambda g: g.put(
         target=f"{TARGET}?partita-nothing"), 501, "NotImplemented"),
    Case("PUT ?tagging", lambda g: g.put(target=f"{HELLO}?tagging"), 501, "NotImplemented"),
    Case("IAM action", lambda g: g.url("POST", "/", b"Action=ListUsers&Version=2010-05-08",
         [("Content-Type", "application/x-www-form-urlencoded")]), 501, "NotImplemented"),
    Case("form without a file", lambda g: g.url("POST", f"/{BUCKET}", b"--x--",
         [("Content-Type", "multipart/form-data; boundary=x")]), 400, "InvalidArgument"),
    Case("POST that is no form", lambda g: g.url("POST", f"/{BUCKET}", b"key=k",
         [("Content-Type", "application/x-www-form-urlencoded")]), 412, "PreconditionFailed"),
    Case("GET of a version that is not there", lambda g: g.ask("GET", f"{HELLO}?versionId=abc"),
         (400, 404), ("NoSuchVersion", "InvalidArgument")),
    Case("GET of part 0", lambda g: g.ask("GET", f"{HELLO}?partNumber=0"),
         400, "InvalidArgument"),
    Case("GET of part 2 of one", lambda g: g.ask("GET", f"{HELLO}?partNumber=2"),
         416, "InvalidPartNumber"),
    Case("GET of a part and a range", lambda g: g.ask(
         "GET", f"{HELLO}?partNumber=1", headers=[("Range", "bytes=0-1")]), 400, "InvalidRequest"),
    Case("ListParts: max-parts=-1", lambda g: g.ask(
         "GET", f"/{BUCKET}/joined?uploadId={g.upload}&max-parts=-1"), 400, "InvalidArgument"),
    Case("ListMultipartUploads: upload-id-marker", lambda g: g.ask(
         "GET", f"/{BUCKET}?uploads&key-marker=a&upload-id-marker=../x"), 400, "InvalidArgument"),
    Case("method PATCH", lambda g: g.ask("PATCH", TARGET, SMALL), 405, "MethodNotAllowed"),
    Case("method of our own", lambda g: g.ask("BREW", TARGET), 405, "MethodNotAllowed"),
    Case("x-amz-tagging is not implemented", lambda g: g.put([("x-amz-tagging", "a=b")]),
         501, "NotImplemented"),
    Case("server-side encryption", lambda g: g.put([("x-amz-server-side-encryption", "AES256")]),
         501, "NotImplemented"),
    Case("storage class of our own", lambda g: g.put([("x-amz-storage-class", "PAPER")]),
         400, "InvalidStorageClass"),
    Case("If-None-Match: * on an object", lambda g: g.put([("If-None-Match", "*")], target=HELLO),
         412, "PreconditionFailed"),
    Case("If-Match on no object", lambda g: g.put([("If-Match", '"abc"')]), 404, "NoSuchKey"),
    Case("no such bucket", lambda g: g.ask("GET", "/no-such-bucket/k"), 404, "NoSuchBucket"),
    Case("HEAD of no object", lambda g: g.ask("HEAD", TARGET), 404),
    Case("copy source: malformed", lambda g: g.put([("x-amz-copy-source", "no-slash")], b""),
         400, "InvalidArgument"),
    Case("copy source: dots and slashes", lambda g: g.put(
         [("x-amz-copy-source", f"/{BUCKET}/../{OTHERS}/secret")], b""), 404, "NoSuchKey"),
    Case("Range past the end", lambda g: g.ask("GET", HELLO, headers=[("Range", "bytes=11-")]),
         416, "InvalidRange"),
    Case("Range of 30 digits", lambda g: g.ask(
         "GET", HELLO, headers=[("Range", f"bytes={'9' * 30}-")]), 416, "InvalidRange"),
    Case("Range bytes=-0", lambda g: g.ask("GET", HELLO, headers=[("Range", "bytes=-0")]),
         416, "InvalidRange"),
    Case("multi-range: the whole", lambda g: g.ask(
         "GET", HELLO, headers=[("Range", "bytes=0-1,3-4")]), 200),
    Case("Range backwards: the whole", lambda g: g.ask(
         "GET", HELLO, headers=[("Range", "bytes=5-1")]), 200),
    *[Case(f"max-keys={value}", lambda g, value=value: g.ask(
         "GET", f"/{BUCKET}?list-type=2&max-keys={value}"), 400, "InvalidArgument")
      for value in ("-1", "abc", "2147483648")],
    Case("continuation token of our own", lambda g: g.ask(
         "GET", f"/{BUCKET}?list-type=2&continuation-token=%00x"), 400, "InvalidArgument"),
    Case("encoding-type of our own", lambda g: g.ask(
         "GET", f"/{BUCKET}?list-type=2&encoding-type=rot13"), 400, "InvalidArgument"),
    Case("33 KiB header", lambda g: g.put([("x-amz-meta-a", "a" * 33 * KIB)]),
         400, ("RequestHeaderSectionTooLarge", "MetadataTooLarge")),
    Case("9 KiB metadata", lambda g: g.put([("x-amz-meta-a", "a" * 9 * KIB)]),
         400, "MetadataTooLarge"),
    Case("metadata with a bare CR in the URL", lambda g: g.url("PUT", g.presigned(
         "PUT", f"{TARGET}?x-amz-meta-a=b%0D%0AX-Evil:1"), SMALL), 400, "InvalidArgument"),
    Case("response-content-type with a CR LF", lambda g: g.ask(
         "GET", f"{HELLO}?response-content-type=a%0D%0AX-Evil:1"), 400, "InvalidArgument"),
]
