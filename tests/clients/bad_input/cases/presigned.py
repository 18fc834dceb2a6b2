"""Presigned URLs of versions 4 and 2: what may be added to them, and how long they hold."""

from bad_input.case import Case
from bad_input.values import BUCKET, DENIED, HELLO, MISMATCH, SMALL, TARGET

CASES = [
    Case("presigned V4", lambda g: g.url("GET", g.presigned("GET", HELLO)), 200),
    Case("presigned V4 + &acl", lambda g: g.url("GET", g.presigned("GET", HELLO) + "&acl"),
         *MISMATCH),
    Case("presigned V4 + &versionId", lambda g: g.url(
         "GET", g.presigned("GET", HELLO) + "&versionId=null"), *MISMATCH),
    Case("presigned V4 + &x-partita-a", lambda g: g.url(
         "GET", g.presigned("GET", HELLO) + "&x-partita-a=b"), *MISMATCH),
    Case("presigned V4 + &partita-a", lambda g: g.url(
         "GET", g.presigned("GET", HELLO) + "&partita-a=b"), 501, "NotImplemented"),
    Case("presigned V4 + x-amz-acl header", lambda g: g.url(
         "PUT", g.presigned("PUT", TARGET), SMALL, [("x-amz-acl", "private")]), *DENIED),
    Case("presigned V4 + x-amz-copy-source", lambda g: g.url(
         "PUT", g.presigned("PUT", TARGET), b"", [("x-amz-copy-source", HELLO)]), *DENIED),
    Case("presigned V4 + x-partita-a header", lambda g: g.url(
         "GET", g.presigned("GET", HELLO), headers=[("x-partita-a", "b")]), *DENIED),
    Case("presigned V4, expired", lambda g: g.url(
         "GET", g.presigned("GET", HELLO, expires=10, at=-20)), *DENIED),
    Case("presigned V4, not valid yet", lambda g: g.url(
         "GET", g.presigned("GET", HELLO, at=3600)), *DENIED),
    *[Case(f"presigned V4, Expires={value}", lambda g, value=value: g.url(
         "GET", g.presigned("GET", HELLO, expires=value)), 400, "AuthorizationQueryParametersError")
      for value in ("604801", "1e3", "9223372036854775808", "")],
    Case("presigned V4, Expires=-1", lambda g: g.url("GET", g.presigned("GET", HELLO, expires=-1)),
         (400, 403), ("AuthorizationQueryParametersError", "AccessDenied")),
    Case("presigned V4 of GET, used for DELETE", lambda g: g.url(
         "DELETE", g.presigned("GET", HELLO)), *MISMATCH),
    Case("presigned V2", lambda g: g.url("GET", g.presigned_v2("GET", HELLO)), 200),
    Case("presigned V2 + &acl", lambda g: g.url("GET", g.presigned_v2("GET", HELLO) + "&acl"),
         *MISMATCH),
    Case("presigned V2 + &partNumber&uploadId", lambda g: g.url(
         "PUT", g.presigned_v2("PUT", TARGET) + f"&partNumber=3&uploadId={g.upload}", SMALL),
         *MISMATCH),
    Case("presigned V2 list + &list-type=2", lambda g: g.url(
         "GET", g.presigned_v2("GET", f"/{BUCKET}") + "&list-type=2"), *DENIED),
    Case("presigned V2 + &attributes", lambda g: g.url(
         "GET", g.presigned_v2("GET", HELLO) + "&attributes"), (403, 501),
         ("AccessDenied", "NotImplemented")),
    Case("presigned V2 + &x-partita-a", lambda g: g.url(
         "GET", g.presigned_v2("GET", HELLO) + "&x-partita-a=b"), *DENIED),
    Case("presigned V2 + x-partita-a header", lambda g: g.url(
         "GET", g.presigned_v2("GET", HELLO), headers=[("x-partita-a", "b")]), *DENIED),
    Case("presigned V2 + x-amz-copy-source", lambda g: g.url(
         "PUT", g.presigned_v2("PUT", TARGET), b"", [("x-amz-copy-source", HELLO)]), *MISMATCH),
    Case("presigned V2, expired", lambda g: g.url(
         "GET", g.presigned_v2("GET", HELLO, lives=-5)), *DENIED),
]
