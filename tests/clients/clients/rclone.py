"""rclone with provider Other, its provider for unknown servers."""


def _rclone(ctx, *words):
    remote = {
        "TYPE": "s3", "PROVIDER": "Other", "ENDPOINT": ctx.endpoint, "REGION": ctx.region,
        "ACCESS_KEY_ID": ctx.access_key, "SECRET_ACCESS_KEY": ctx.secret_key,
    }
    env = {f"RCLONE_CONFIG_S3_{name}": value for name, value in remote.items()}
    return ctx.run("rclone", "--config", "/dev/null", *words, env=env)


def there_and_back(ctx, key, name, *words):
    url = f"s3:{ctx.bucket}/{key}"
    _rclone(ctx, "copyto", *words, ctx.files[name], url)
    ctx.expect_stored(key, name)
    ctx.expect_bytes(_rclone(ctx, "cat", url), name)


def multi(ctx):
    there_and_back(ctx, "big", "big", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M")
    ctx.expect_multipart("big")
    # A download over several connections, each with a range of its own.
    _rclone(ctx, "copyto", "--multi-thread-cutoff", "1M", "--multi-thread-streams", "4",
            "--multi-thread-chunk-size", "2M", f"s3:{ctx.bucket}/big", ctx.path("big"))
    ctx.expect_bytes(ctx.path("big"), "big")


def pause(ctx):
    with ctx.paused("pause", "huge"):
        _rclone(ctx, "copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M",
                ctx.files["huge"], f"s3:{ctx.bucket}/pause")


def range(ctx):
    ctx.seed("range")
    part = _rclone(ctx, "cat", "--offset", "100", "--count", "200", f"s3:{ctx.bucket}/range")
    ctx.expect(part == ctx.data("small")[100:300], "other bytes than 100-299")


def copy(ctx):
    ctx.seed(ctx.odd_key)
    _rclone(ctx, "copyto", f"s3:{ctx.bucket}/{ctx.odd_key}", f"s3:{ctx.bucket}/copied")
    ctx.expect_stored("copied", "small")
    ctx.seed("copy-big", "big")
    _rclone(ctx, "copyto", "--s3-copy-cutoff", "5M", "--s3-chunk-size", "5M",
            f"s3:{ctx.bucket}/copy-big", f"s3:{ctx.bucket}/copied-big")
    ctx.expect_stored("copied-big", "big")


def list(ctx):
    ctx.seed_all("list/", "a/x", "a/y", "b/x", "b/y")
    text = _rclone(ctx, "lsf", "-R", "--files-only", f"s3:{ctx.bucket}/list").decode()
    ctx.expect(sorted(text.split()) == ["a/x", "a/y", "b/x", "b/y"], f"lsf says {text!r}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two &<", ctx.odd_key)
    _rclone(ctx, "delete", f"s3:{ctx.bucket}/delete")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    ctx.seed(ctx.odd_key)
    url = _rclone(ctx, "link", f"s3:{ctx.bucket}/{ctx.odd_key}").decode().strip()
    ctx.expect_bytes(ctx.fetch(url), "small")


def work(ctx):
    tree, remote = ctx.tree("one", "a b/two", "a b/c/three+é"), f"s3:{ctx.bucket}/sync"
    _rclone(ctx, "sync", tree, remote)
    _rclone(ctx, "check", "--download", tree, remote)
    (tree / "one").unlink()
    (tree / "a b/two").touch()  # Only the time changes: rclone copies the object onto itself.
    _rclone(ctx, "sync", tree, remote)
    _rclone(ctx, "check", tree, remote)
    ctx.expect_keys("sync/", ["sync/a b/two", "sync/a b/c/three+é"])
    _rclone(ctx, "purge", remote)
    ctx.expect_keys("sync/", [])
