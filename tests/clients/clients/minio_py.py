"""minio-py: its own signer; compose is UploadPartCopy without a range."""

import datetime
import io

from minio import Minio
from minio.commonconfig import ComposeSource, CopySource
from minio.deleteobjects import DeleteObject

MIB = 1024 * 1024


def _minio(ctx):
    return Minio(ctx.host, access_key=ctx.access_key, secret_key=ctx.secret_key,
                 region=None, secure=ctx.tls)  # Without a region it asks for the location first.


def there_and_back(ctx, key, name):
    client, data = _minio(ctx), ctx.data(name)
    client.put_object(ctx.bucket, key, io.BytesIO(data), len(data), part_size=5 * MIB)
    ctx.expect_stored(key, name)
    client.fget_object(ctx.bucket, key, str(ctx.path(name)))
    ctx.expect_bytes(ctx.path(name), name)


def range(ctx):
    ctx.seed("range")
    answer = _minio(ctx).get_object(ctx.bucket, "range", offset=100, length=200)
    ctx.expect(answer.read() == ctx.data("small")[100:300], "other bytes than 100-299")


def copy(ctx):
    client = _minio(ctx)
    ctx.seed(ctx.odd_key)
    client.copy_object(ctx.bucket, "copied", CopySource(ctx.bucket, ctx.odd_key))
    ctx.expect_stored("copied", "small")
    ctx.seed("first", "big")
    ctx.seed("second", "small")
    client.compose_object(ctx.bucket, "composed", [ComposeSource(ctx.bucket, "first"),
                                                   ComposeSource(ctx.bucket, "second")])
    content = client.get_object(ctx.bucket, "composed").read()
    ctx.expect(content == ctx.data("big") + ctx.data("small"), "the composed object differs")


def list(ctx):
    names = ctx.seed_all("list/", "a/x", "a/y", "b/x", "b/y")
    client = _minio(ctx)
    for first_version in (False, True):
        found = client.list_objects(ctx.bucket, "list/", recursive=True,
                                    use_api_v1=first_version)
        got = [entry.object_name for entry in found]
        ctx.expect(got == names, f"listed {got}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two &<", ctx.odd_key)
    names = [DeleteObject(name) for name in ctx.raw.keys(ctx.bucket, "delete/")]
    errors = [str(error) for error in _minio(ctx).remove_objects(ctx.bucket, names)]
    ctx.expect(not errors, f"errors {errors}")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    client, lifetime = _minio(ctx), datetime.timedelta(minutes=5)
    url = client.presigned_put_object(ctx.bucket, ctx.odd_key, expires=lifetime)
    ctx.fetch(url, ctx.data("small"))
    url = client.presigned_get_object(ctx.bucket, ctx.odd_key, expires=lifetime)
    ctx.expect_bytes(ctx.fetch(url), "small")
