"""mc, the MinIO client: signed chunks over http, a checksum with each part of a pipe."""

import pathlib


def _mc(ctx, *words, **options):
    return ctx.run("minio-client", "--config-dir", _configured(ctx), "--quiet", *words, **options)


def _configured(ctx):
    folder = ctx.path("mc")
    if not (folder / "config.json").exists():
        if ctx.tls:
            (folder / "certs/CAs").mkdir(parents=True)
            (folder / "certs/CAs/ca.pem").write_bytes(pathlib.Path(ctx.ca_file).read_bytes())
        ctx.run("minio-client", "--config-dir", folder, "alias", "set", "s3", ctx.endpoint,
                ctx.access_key, ctx.secret_key)
    return folder


def there_and_back(ctx, key, name):
    url = f"s3/{ctx.bucket}/{key}"
    _mc(ctx, "cp", ctx.files[name], url)
    ctx.expect_stored(key, name)
    ctx.expect_bytes(_mc(ctx, "cat", url), name)


def multi(ctx):
    there_and_back(ctx, "big", "big")
    ctx.expect_multipart("big")
    _mc(ctx, "pipe", f"s3/{ctx.bucket}/piped", stdin=ctx.data("big"))
    ctx.expect_stored("piped", "big")


def range(ctx):
    ctx.seed("range")
    part = _mc(ctx, "cat", "--offset", "900", f"s3/{ctx.bucket}/range")
    ctx.expect(part == ctx.data("small")[900:], "other bytes than the last 100")


def copy(ctx):
    ctx.seed(ctx.odd_key)
    _mc(ctx, "cp", f"s3/{ctx.bucket}/{ctx.odd_key}", f"s3/{ctx.bucket}/copied")
    ctx.expect_stored("copied", "small")


def list(ctx):
    ctx.seed_all("list/", "a/x", "b/y")
    text = _mc(ctx, "ls", "--recursive", f"s3/{ctx.bucket}/list/").decode()
    ctx.expect("a/x" in text and "b/y" in text, f"ls says {text!r}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two &<", ctx.odd_key)
    _mc(ctx, "rm", "--recursive", "--force", f"s3/{ctx.bucket}/delete/")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    ctx.seed("presign")
    text = _mc(ctx, "share", "download", f"s3/{ctx.bucket}/presign").decode()
    url = next(line.split(":", 1)[1].strip() for line in text.splitlines() if "Share:" in line)
    ctx.expect_bytes(ctx.fetch(url), "small")


def work(ctx):
    tree = ctx.tree("one", "a b/two+é")
    _mc(ctx, "mirror", tree, f"s3/{ctx.bucket}/mirror")
    (tree / "one").unlink()
    _mc(ctx, "mirror", "--remove", tree, f"s3/{ctx.bucket}/mirror")
    ctx.expect_keys("mirror/", ["mirror/a b/two+é"])
