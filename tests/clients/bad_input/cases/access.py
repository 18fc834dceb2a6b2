"""Who asks: keys, signatures, clocks, other users."""

from bad_input.case import Case, delete_document
from bad_input.values import (
    BUCKET,
    DENIED,
    HELLO,
    MISMATCH,
    OTHERS,
    ROOT,
    SMALL,
    STRANGER,
    TARGET,
    UNSIGNED,
    Key,
)
from bad_input.wire import StepFailed


def expect_continue(g):
    """A bad signature is answered before the body, for a client that waits for 100 Continue."""
    data = g.signed("PUT", TARGET, SMALL, unsigned=[("Expect", "100-continue")], spoil=True)
    return g.raw(data[:-len(SMALL)])


def disabled_key(g):
    key = Key("BADINPUTDISABLED", STRANGER.secret)
    made = g.command("key", "create", "stranger", "--data", g.data,
                     "--access-key-id", key.id, "--secret-access-key", key.secret)
    done = g.command("key", "disable", key.id, "--data", g.data)
    if made.returncode or done.returncode:
        raise StepFailed(made.stderr + done.stderr)
    return g.ask("GET", f"/{OTHERS}", key=key)


CASES = [
    Case("unknown access key", lambda g: g.put(key=Key("NOSUCHKEY", "x" * 20)),
         403, "InvalidAccessKeyId"),
    Case("wrong secret", lambda g: g.put(key=Key(ROOT.id, "not-the-secret")), *MISMATCH),
    Case("wrong signature", lambda g: g.put(spoil=True), *MISMATCH),
    Case("disabled key", disabled_key, 403, "InvalidAccessKeyId"),
    Case("another target than signed", lambda g: g.put(wire_target=TARGET + "x"), *MISMATCH),
    Case("clock 16 min behind", lambda g: g.put(at=-960), 403, "RequestTimeTooSkewed"),
    Case("clock 16 min ahead", lambda g: g.put(at=960), 403, "RequestTimeTooSkewed"),
    Case("clock 14 min behind", lambda g: g.ask("GET", HELLO, at=-840), 200),
    Case("clock 14 min ahead", lambda g: g.ask("GET", HELLO, at=840), 200),
    Case("no date", lambda g: g.put(without=["x-amz-date"]), *DENIED),
    Case("no x-amz-content-sha256", lambda g: g.put(without=["x-amz-content-sha256"]),
         400, "InvalidRequest"),
    Case("x-amz-content-sha256: abc", lambda g: g.put(payload="abc"), 400, "InvalidArgument"),
    Case("unsigned x-amz-meta-* header", lambda g: g.put(unsigned=[("x-amz-meta-a", "b")]),
         *DENIED),
    Case("unsigned x-amz-acl header", lambda g: g.put(unsigned=[("x-amz-acl", "private")]),
         *DENIED),
    Case("unsigned x-partita-* header", lambda g: g.put(unsigned=[("x-partita-a", "b")]), *DENIED),
    Case("session token nobody gave", lambda g: g.put([("x-amz-security-token", "t")]),
         403, "InvalidToken"),
    Case("Authorization: Bearer", lambda g: g.url("PUT", TARGET, SMALL,
         [("Authorization", "Bearer abc")]), 400, "InvalidArgument"),
    Case("Authorization: AWS (SigV2)", lambda g: g.url("PUT", TARGET, SMALL,
         [("Authorization", "AWS a:b"), ("Date", "x")]), 400, "InvalidRequest"),
    Case("Authorization without parts", lambda g: g.url("PUT", TARGET, SMALL,
         [("Authorization", "AWS4-HMAC-SHA256"), ("x-amz-content-sha256", UNSIGNED)]),
         400, "AuthorizationHeaderMalformed"),
    Case("signed in header and query", lambda g: g.ask("GET", g.presigned("GET", HELLO)),
         400, "InvalidArgument"),
    Case("anonymous GET", lambda g: g.url("GET", HELLO), *DENIED),
    Case("anonymous PUT", lambda g: g.url("PUT", TARGET, SMALL), *DENIED),
    Case("anonymous list of buckets", lambda g: g.url("GET", "/"), *DENIED),
    Case("other user: GET", lambda g: g.ask("GET", HELLO, key=STRANGER), *DENIED),
    Case("other user: GET of no object", lambda g: g.ask("GET", TARGET, key=STRANGER), *DENIED),
    Case("other user: PUT", lambda g: g.put(key=STRANGER), *DENIED),
    Case("other user: DELETE", lambda g: g.ask("DELETE", HELLO, key=STRANGER), *DENIED),
    Case("other user: list", lambda g: g.ask("GET", f"/{BUCKET}", key=STRANGER), *DENIED),
    Case("other user: bulk delete", lambda g: g.ask(
         "POST", f"/{BUCKET}?delete", delete_document(1, "hello"), key=STRANGER), *DENIED),
    Case("other user: parts of an upload", lambda g: g.ask(
         "GET", f"/{BUCKET}/joined?uploadId={g.upload}", key=STRANGER), *DENIED),
    Case("other user: UploadPart", lambda g: g.put(target=g.part(3), key=STRANGER), *DENIED),
    Case("other user: Complete", lambda g: g.complete((2, g.etags[2]), key=STRANGER), *DENIED),
    Case("other user: Abort", lambda g: g.ask(
         "DELETE", f"/{BUCKET}/joined?uploadId={g.upload}", key=STRANGER), *DENIED),
    Case("other user: DELETE of the bucket", lambda g: g.ask(
         "DELETE", f"/{BUCKET}", key=STRANGER), *DENIED),
    Case("other user: bucket of the same name", lambda g: g.ask(
         "PUT", f"/{BUCKET}", key=STRANGER), 409, "BucketAlreadyExists"),
    Case("other user: copy source", lambda g: g.ask(
         "PUT", f"/{OTHERS}/refused", headers=[("x-amz-copy-source", HELLO)], key=STRANGER),
         *DENIED),
    Case("management over the network", lambda g: g.url("GET", "/_partita/v1/users"),
         403, "Forbidden"),
    Case("Expect: 100-continue, bad signature", expect_continue, *MISMATCH),
]
