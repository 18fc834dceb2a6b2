"""s3cmd: ListObjects v1, its own signer, `GET ?location` before anything else."""


def _s3cmd(ctx, *words):
    config = ctx.path("s3cfg")  # What has no flag of its own.
    config.write_text(f"[default]\nsignurl_use_https = {ctx.tls}\n")
    command = ["s3cmd", f"--config={config}", f"--host={ctx.host}", f"--host-bucket={ctx.host}",
               f"--access_key={ctx.access_key}", f"--secret_key={ctx.secret_key}",
               "--no-progress", "--multipart-chunk-size-mb=5"]
    command += ["--ssl", f"--ca-certs={ctx.ca_file}"] if ctx.tls else ["--no-ssl"]
    return ctx.run(*command, *words)


def there_and_back(ctx, key, name):
    url = f"s3://{ctx.bucket}/{key}"
    _s3cmd(ctx, "put", ctx.files[name], url)
    ctx.expect_stored(key, name)
    back = ctx.path(f"{name}.back")
    _s3cmd(ctx, "get", "--force", url, back)
    ctx.expect_bytes(back, name)


def copy(ctx):
    ctx.seed(ctx.odd_key)
    _s3cmd(ctx, "cp", f"s3://{ctx.bucket}/{ctx.odd_key}", f"s3://{ctx.bucket}/copied")
    ctx.expect_stored("copied", "small")
    _s3cmd(ctx, "mv", f"s3://{ctx.bucket}/copied", f"s3://{ctx.bucket}/moved")
    ctx.expect_keys("copied", [])
    ctx.expect_stored("moved", "small")


def list(ctx):
    ctx.seed_all("list/", "a/x", "b/y")
    text = _s3cmd(ctx, "ls", f"s3://{ctx.bucket}/list/").decode()
    ctx.expect("/list/a/" in text and "/list/b/" in text and "DIR" in text, f"ls says {text!r}")
    text = _s3cmd(ctx, "ls", "--recursive", f"s3://{ctx.bucket}/list/").decode()
    ctx.expect("/list/a/x" in text and "/list/b/y" in text, f"ls says {text!r}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two", ctx.odd_key)
    _s3cmd(ctx, "del", "--recursive", f"s3://{ctx.bucket}/delete/")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    ctx.seed(ctx.odd_key)
    url = _s3cmd(ctx, "signurl", f"s3://{ctx.bucket}/{ctx.odd_key}", "+300")
    ctx.expect_bytes(ctx.fetch(url.decode().strip()), "small")


def work(ctx):
    tree = ctx.tree("one", "a b/two+é")
    url = f"s3://{ctx.bucket}/sync/"
    _s3cmd(ctx, "sync", f"{tree}/", url)
    (tree / "one").unlink()
    _s3cmd(ctx, "sync", "--delete-removed", f"{tree}/", url)
    ctx.expect_keys("sync/", ["sync/a b/two+é"])
