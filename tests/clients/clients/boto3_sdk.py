"""boto3: the client interface, the transfer manager, both kinds of presigned URLs, resume."""

import io

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

MIB = 1024 * 1024


def _s3(ctx, **options):
    return boto3.client("s3", endpoint_url=ctx.endpoint, config=Config(**options))


def small(ctx):
    _put_and_get(ctx, "small")


def empty(ctx):
    _put_and_get(ctx, "empty")


def _put_and_get(ctx, name):
    s3 = _s3(ctx)
    s3.put_object(Bucket=ctx.bucket, Key=name, Body=ctx.data(name), Metadata={"made-by": "rig"})
    answer = s3.get_object(Bucket=ctx.bucket, Key=name)
    ctx.expect_bytes(answer["Body"].read(), name)
    ctx.expect(answer["Metadata"] == {"made-by": "rig"}, f"metadata is {answer['Metadata']}")
    ctx.expect_stored(name, name)


def multi(ctx):
    s3 = _s3(ctx)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB)
    s3.upload_file(str(ctx.files["big"]), ctx.bucket, "big", Config=config)
    ctx.expect_multipart("big")
    ctx.expect_stored("big", "big")
    s3.download_file(ctx.bucket, "big", str(ctx.path("big")), Config=config)
    ctx.expect_bytes(ctx.path("big"), "big")


def pause(ctx):
    # Fifty connections, with both retry modes of botocore. Each takes a minute: they run at once.
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(_paused, ctx, mode) for mode in ("legacy", "standard")]
        for done in runs:
            done.result()


def _paused(ctx, mode):
    s3 = _s3(ctx, retries={"mode": mode}, max_pool_connections=50)
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB,
                            max_concurrency=50)
    with ctx.paused(f"pause-{mode}", "huge"):
        s3.upload_file(str(ctx.files["huge"]), ctx.bucket, f"pause-{mode}", Config=config)


def key(ctx):
    s3 = _s3(ctx)
    s3.put_object(Bucket=ctx.bucket, Key=ctx.odd_key, Body=ctx.data("small"))
    ctx.expect_stored(ctx.odd_key, "small")
    listed = s3.list_objects_v2(Bucket=ctx.bucket, Prefix="a b+c/")["Contents"]
    ctx.expect([entry["Key"] for entry in listed] == [ctx.odd_key], f"listed {listed}")


def range(ctx):
    ctx.seed("range")
    answer = _s3(ctx).get_object(Bucket=ctx.bucket, Key="range", Range="bytes=100-299")
    ctx.expect(answer["Body"].read() == ctx.data("small")[100:300], "other bytes than 100-299")
    ctx.expect(answer["ContentRange"] == "bytes 100-299/1000", answer["ContentRange"])


def copy(ctx):
    s3 = _s3(ctx)
    ctx.seed(ctx.odd_key)
    source = {"Bucket": ctx.bucket, "Key": ctx.odd_key}
    s3.copy_object(Bucket=ctx.bucket, Key="copied", CopySource=source)
    ctx.expect_stored("copied", "small")
    ctx.seed("copy-big", "big")
    config = TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=8 * MIB)
    s3.copy({"Bucket": ctx.bucket, "Key": "copy-big"}, ctx.bucket, "copied-big", Config=config)
    ctx.expect_multipart("copied-big")
    ctx.expect_stored("copied-big", "big")


def list(ctx):
    s3 = _s3(ctx)
    names = ctx.seed_all("list/", "a/x", "a/y", "a/z", "b/x", "b/y", "b/z")
    for operation in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(operation).paginate(
            Bucket=ctx.bucket, Prefix="list/", PaginationConfig={"PageSize": 2})
        got = [entry["Key"] for page in pages for entry in page["Contents"]]
        ctx.expect(got == names, f"{operation}: {got}")
    answer = s3.list_objects_v2(Bucket=ctx.bucket, Prefix="list/", Delimiter="/")
    prefixes = [entry["Prefix"] for entry in answer["CommonPrefixes"]]
    ctx.expect(prefixes == ["list/a/", "list/b/"], f"prefixes {prefixes}")


def delete(ctx):
    ctx.seed_all("delete/", "1", "2", "3", "a&b <c>")
    keys = [{"Key": name} for name in ctx.raw.keys(ctx.bucket, "delete/")]
    answer = _s3(ctx).delete_objects(Bucket=ctx.bucket, Delete={"Objects": keys})
    ctx.expect(len(answer["Deleted"]) == 4, f"answer {answer}")
    ctx.expect_keys("delete/", [])


def presign(ctx):
    for version in ("s3", "s3v4"):  # The SDK's default is Signature V2.
        s3 = _s3(ctx, signature_version=version)
        name = f"{ctx.odd_key}-{version}"
        for operation, body in (("put_object", ctx.data("small")), ("get_object", None)):
            url = s3.generate_presigned_url(
                operation, Params={"Bucket": ctx.bucket, "Key": name}, ExpiresIn=300)
            content = ctx.fetch(url, body)
        ctx.expect_bytes(content, "small")
        ctx.expect_stored(name, "small")


def form(ctx):
    import urllib3
    pool = urllib3.PoolManager(ca_certs=ctx.ca_file if ctx.tls else None)
    for version in ("s3", "s3v4"):
        s3 = _s3(ctx, signature_version=version)
        conditions = [["starts-with", "$Content-Type", "text/"],
                      ["content-length-range", 1, len(ctx.data("small"))],
                      {"success_action_status": "201"}]
        post = s3.generate_presigned_post(
            ctx.bucket, f"form-{version}/${{filename}}",
            Fields={"Content-Type": "text/plain", "success_action_status": "201"},
            Conditions=conditions, ExpiresIn=300)
        for content, status in ((b"", 400), (ctx.data("small") + b"x", 400),
                                (ctx.data("small"), 201)):
            fields = {**post["fields"], "file": (ctx.odd_key, content)}
            answer = pool.request("POST", post["url"], fields=fields)
            ctx.expect(answer.status == status, f"{version}: {answer.status} {answer.data[:400]}")
        # Of a path only the last name counts.
        name = f"form-{version}/" + ctx.odd_key.rsplit("/", 1)[-1]
        ctx.expect_stored(name, "small")
        ctx.expect(_s3(ctx).head_object(Bucket=ctx.bucket, Key=name)["ContentType"] == "text/plain",
                   "another type")
        post["fields"]["key"] = "elsewhere"
        fields = {**post["fields"], "file": ("x", ctx.data("small"))}
        answer = pool.request("POST", post["url"], fields=fields)
        ctx.expect(answer.status == 403, f"{version}: another key is {answer.status}")


def cond(ctx):
    s3 = _s3(ctx)
    put = {"Bucket": ctx.bucket, "Key": "cond"}
    etag = s3.put_object(**put, Body=b"1", IfNoneMatch="*")["ETag"]
    with ctx.expect_error(ClientError, "PreconditionFailed"):
        s3.put_object(**put, Body=b"2", IfNoneMatch="*")
    s3.put_object(**put, Body=b"3", IfMatch=etag)
    with ctx.expect_error(ClientError, "PreconditionFailed"):
        s3.put_object(**put, Body=b"4", IfMatch=etag)
    ctx.expect(s3.get_object(**put)["Body"].read() == b"3", "the content is not the third write's")


def resume(ctx):
    s3 = _s3(ctx)
    where = {"Bucket": ctx.bucket, "Key": "resumed"}
    parts = [ctx.data("big")[start:start + 5 * MIB] for start in (0, 5 * MIB, 10 * MIB, 15 * MIB)]
    parts[3] = ctx.data("big")[15 * MIB:]
    upload = s3.create_multipart_upload(**where)["UploadId"]
    for number in (4, 2):  # Out of order; the other parts are missing.
        s3.upload_part(**where, UploadId=upload, PartNumber=number, Body=parts[number - 1])
    open_uploads = s3.list_multipart_uploads(Bucket=ctx.bucket, Prefix="resumed")["Uploads"]
    ctx.expect([one["UploadId"] for one in open_uploads] == [upload], f"uploads {open_uploads}")
    there = {part["PartNumber"]: part["Size"]
             for part in s3.list_parts(**where, UploadId=upload)["Parts"]}
    ctx.expect(there == {2: 5 * MIB, 4: len(parts[3])}, f"parts {there}")
    for number in {1, 2, 3, 4} - there.keys():
        s3.upload_part(**where, UploadId=upload, PartNumber=number,
                       Body=io.BytesIO(parts[number - 1]))
    listed = s3.list_parts(**where, UploadId=upload)["Parts"]
    names = ("PartNumber", "ETag", "ChecksumCRC32")
    manifest = [{name: part[name] for name in names if name in part} for part in listed]
    s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload={"Parts": manifest})
    ctx.expect_stored("resumed", "big")
