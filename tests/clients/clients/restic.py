"""restic: a repository of many small objects; `restic check` reads every byte back."""

import shutil


def _restic(ctx, *words):
    env = {"RESTIC_PASSWORD": "rig", "RESTIC_REPOSITORY": f"s3:{ctx.endpoint}/{ctx.bucket}/restic",
           "RESTIC_CACHE_DIR": str(ctx.path("cache"))}
    trust = ["--cacert", ctx.ca_file] if ctx.tls else []
    return ctx.run("restic", *trust, *words, env=env)


def work(ctx):
    tree, back = ctx.path("tree"), ctx.path("restored")
    (tree / "a b").mkdir(parents=True)
    for name in ("small", "empty", "big"):
        shutil.copy(ctx.files[name], tree / "a b" / name)
    _restic(ctx, "init")
    _restic(ctx, "backup", tree)
    (tree / "more").write_bytes(ctx.data("small") * 100)
    _restic(ctx, "backup", tree)
    _restic(ctx, "check", "--read-data")
    _restic(ctx, "restore", "latest", "--target", back)
    for name in ("small", "empty", "big"):
        ctx.expect_bytes(back / str(tree)[1:] / "a b" / name, name)
    _restic(ctx, "forget", "--keep-last", "1", "--prune")
    _restic(ctx, "check")
