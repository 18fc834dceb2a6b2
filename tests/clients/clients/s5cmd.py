"""s5cmd: many workers over the older Go SDK."""


def _s5cmd(ctx, *words):
    return ctx.run("s5cmd", "--endpoint-url", ctx.endpoint, "--retry-count", "1", *words)


def there_and_back(ctx, key, name, *words):
    url = f"s3://{ctx.bucket}/{key}"
    _s5cmd(ctx, "cp", *words, ctx.files[name], url)
    ctx.expect_stored(key, name)
    back = ctx.path(f"{name}.back")
    _s5cmd(ctx, "cp", *words, url, back)
    ctx.expect_bytes(back, name)


def multi(ctx):
    there_and_back(ctx, "big", "big", "--part-size", "5")
    ctx.expect_multipart("big")


def copy(ctx):
    ctx.seed(ctx.odd_key)
    _s5cmd(ctx, "cp", "--raw", f"s3://{ctx.bucket}/{ctx.odd_key}", f"s3://{ctx.bucket}/copied")
    ctx.expect_stored("copied", "small")


def list(ctx):
    ctx.seed_all("list/", "a/x", "b/y")
    text = _s5cmd(ctx, "ls", f"s3://{ctx.bucket}/list/").decode()
    ctx.expect(text.split() == ["DIR", "a/", "DIR", "b/"], f"ls says {text!r}")
    text = _s5cmd(ctx, "ls", f"s3://{ctx.bucket}/list/*").decode()
    ctx.expect("a/x" in text and "b/y" in text, f"ls says {text!r}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two &<", ctx.odd_key)
    _s5cmd(ctx, "rm", f"s3://{ctx.bucket}/delete/*")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    ctx.seed(ctx.odd_key)
    url = _s5cmd(ctx, "presign", f"s3://{ctx.bucket}/{ctx.odd_key}").decode().strip()
    ctx.expect_bytes(ctx.fetch(url), "small")


def work(ctx):
    tree = ctx.tree("one", "a b/two+é")
    _s5cmd(ctx, "sync", f"{tree}/", f"s3://{ctx.bucket}/sync/")
    (tree / "one").unlink()
    _s5cmd(ctx, "sync", "--delete", f"{tree}/", f"s3://{ctx.bucket}/sync/")
    ctx.expect_keys("sync/", ["sync/a b/two+é"])
