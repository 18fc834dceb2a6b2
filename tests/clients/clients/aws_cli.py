"""aws-cli, version 1 and 2; their commands are the same."""

import json
import sys

from context import CheckFailed


def _aws(ctx, *words, **options):
    return ctx.run(sys.executable, "-m", "awscli", "--endpoint-url", ctx.endpoint, *words,
                   **options)


def _api(ctx, operation, *words):
    output = _aws(ctx, "s3api", operation, "--bucket", ctx.bucket, *words, "--output", "json")
    return json.loads(output or "{}")


def there_and_back(ctx, key, name):
    url = f"s3://{ctx.bucket}/{key}"
    _aws(ctx, "s3", "cp", "--quiet", ctx.files[name], url)
    ctx.expect_stored(key, name)
    back = ctx.path(f"{name}.back")
    _aws(ctx, "s3", "cp", "--quiet", url, back)
    ctx.expect_bytes(back, name)


def pause(ctx):
    with ctx.paused("pause", "huge"):
        _aws(ctx, "s3", "cp", "--quiet", ctx.files["huge"], f"s3://{ctx.bucket}/pause")


def range(ctx):
    ctx.seed("range")
    back = ctx.path("range.back")
    _api(ctx, "get-object", "--key", "range", "--range", "bytes=-100", back)
    ctx.expect(back.read_bytes() == ctx.data("small")[-100:], "other bytes than the last 100")


def copy(ctx):
    ctx.seed("copy/small")
    ctx.seed("copy/big", "big")
    for name in ("small", "big"):  # CopyObject, and UploadPartCopy above 8 MiB.
        target = f"copied {name}+"
        _aws(ctx, "s3", "cp", "--quiet", f"s3://{ctx.bucket}/copy/{name}",
             f"s3://{ctx.bucket}/{target}")
        ctx.expect_stored(target, name)
    _aws(ctx, "s3", "mv", "--quiet", f"s3://{ctx.bucket}/copy/small", f"s3://{ctx.bucket}/moved")
    ctx.expect_keys("copy/", ["copy/big"])


def list(ctx):
    names = ctx.seed_all("list/", "a/x", "a/y", "b/x", "b/y")
    text = _aws(ctx, "s3", "ls", f"s3://{ctx.bucket}/list/").decode()
    ctx.expect(text.split() == ["PRE", "a/", "PRE", "b/"], f"ls says {text!r}")
    got = _api(ctx, "list-objects-v2", "--prefix", "list/", "--page-size", "1")
    ctx.expect([entry["Key"] for entry in got["Contents"]] == names, f"listed {got}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two &<", ctx.odd_key)
    keys = [{"Key": name} for name in ctx.raw.keys(ctx.bucket, "delete/")]
    answer = _api(ctx, "delete-objects", "--delete", json.dumps({"Objects": keys}))
    ctx.expect(len(answer["Deleted"]) == 3, f"answer {answer}")
    ctx.expect_keys("delete/", [])
    ctx.seed("delete/again")
    _aws(ctx, "s3", "rm", "--quiet", "--recursive", f"s3://{ctx.bucket}/delete/")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    ctx.seed(ctx.odd_key)
    url = _aws(ctx, "s3", "presign", f"s3://{ctx.bucket}/{ctx.odd_key}").decode().strip()
    ctx.expect_bytes(ctx.fetch(url), "small")


def cond(ctx):
    words = ("--key", "cond", "--if-none-match", "*", "--body", ctx.files["small"])
    try:
        _api(ctx, "put-object", *words)
    except CheckFailed as error:
        if "Unknown options" not in str(error):
            raise
        _cond_get(ctx)  # Versions before the end of 2024 have no such option.
        return
    with ctx.expect_error(CheckFailed, "PreconditionFailed"):
        _api(ctx, "put-object", *words)


def _cond_get(ctx):
    ctx.seed("cond")
    etag = ctx.raw.head(ctx.bucket, "cond")["etag"]
    _api(ctx, "get-object", "--key", "cond", "--if-match", etag, ctx.path("cond.back"))
    with ctx.expect_error(CheckFailed, "304", "Not Modified"):
        _api(ctx, "get-object", "--key", "cond", "--if-none-match", etag, ctx.path("cond.back"))


def work(ctx):
    tree, back = ctx.tree("one", "a b/two", "a b/c/three+é"), ctx.path("tree.back")
    _aws(ctx, "s3", "sync", "--quiet", tree, f"s3://{ctx.bucket}/sync")
    (tree / "one").unlink()
    again = _aws(ctx, "s3", "sync", "--delete", tree, f"s3://{ctx.bucket}/sync").decode()
    ctx.expect("upload:" not in again, f"the second sync sent again: {again!r}")
    ctx.expect_keys("sync/", ["sync/a b/two", "sync/a b/c/three+é"])
    _aws(ctx, "s3", "sync", "--quiet", f"s3://{ctx.bucket}/sync", back)
    ctx.expect_bytes(back / "a b/c/three+é", "small")
