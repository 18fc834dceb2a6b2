"""Documents other than that of Complete, and names of buckets."""

from bad_input.case import Case, delete_document
from bad_input.signing import md5
from bad_input.values import BUCKET, KIB, MIB, UNSIGNED

CASES = [
    Case("Delete: 3 MiB", lambda g: g.ask("POST", f"/{BUCKET}?delete", delete_document(
         1, end=" " * 3 * MIB)), 400, ("MaxMessageLengthExceeded", "MalformedXML")),
    Case("Delete: 1,001 keys", lambda g: g.ask("POST", f"/{BUCKET}?delete",
         delete_document(1001)), 400, "MalformedXML"),
    Case("Delete: wrong Content-MD5", lambda g: g.ask("POST", f"/{BUCKET}?delete",
         delete_document(1, "hello"), [("Content-MD5", md5(b"other"))]), 400, "BadDigest"),
    Case("Delete: nothing covers the document", lambda g: g.ask("POST", f"/{BUCKET}?delete",
         delete_document(1, "hello"), payload=UNSIGNED), 400, "InvalidRequest"),
    Case("Delete: malformed XML", lambda g: g.ask("POST", f"/{BUCKET}?delete", b"<Delete>"),
         400, "MalformedXML"),
    Case("CreateBucket: 65 KiB", lambda g: g.ask("PUT", "/refused-bucket", b" " * 65 * KIB),
         400, ("MaxMessageLengthExceeded", "MalformedXML")),
    Case("CreateBucket: malformed XML", lambda g: g.ask("PUT", "/refused-bucket", b"<Create"),
         400, "MalformedXML"),
    Case("CreateBucket: another region", lambda g: g.ask("PUT", "/refused-bucket",
         b"<CreateBucketConfiguration><LocationConstraint>mars-1</LocationConstraint>"
         b"</CreateBucketConfiguration>"), 400,
         ("IllegalLocationConstraintException", "InvalidLocationConstraint")),
    *[Case(f"CreateBucket: name {name[:20]}", lambda g, name=name: g.ask("PUT", f"/{name}"),
           400, "InvalidBucketName") for name in (
        "ab", "Upper", "under_score", "-dash", "dash-", "a..b", ".dot", "192.168.5.4", "x" * 64,
        "esc%2Faped", "nul%00", "..")],
    Case("DELETE of a bucket with objects", lambda g: g.ask("DELETE", f"/{BUCKET}"),
         409, "BucketNotEmpty"),
]
