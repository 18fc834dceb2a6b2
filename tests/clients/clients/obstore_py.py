"""obstore: Rust's object_store, with conditional writes and presigned URLs."""

import datetime

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

MIB = 1024 * 1024


def _store(ctx):
    return S3Store(ctx.bucket, endpoint=ctx.endpoint, access_key_id=ctx.access_key,
                   secret_access_key=ctx.secret_key, region=ctx.region,
                   virtual_hosted_style_request=False,
                   client_options={"allow_http": not ctx.tls})


def there_and_back(ctx, key, name):
    store = _store(ctx)
    obstore.put(store, key, ctx.data(name), chunk_size=5 * MIB)
    ctx.expect_stored(key, name)
    ctx.expect_bytes(obstore.get(store, key).bytes(), name)


def range(ctx):
    ctx.seed("range")
    store, data = _store(ctx), ctx.data("small")
    got = bytes(obstore.get_range(store, "range", start=100, length=200))
    ctx.expect(got == data[100:300], "other bytes than 100-299")
    got = [bytes(one) for one in obstore.get_ranges(store, "range", starts=[0, 900],
                                                    lengths=[10, 100])]
    ctx.expect(got == [data[:10], data[900:]], "other bytes in one of two ranges")
    # A suffix that is longer than the object means the whole of it.
    got = bytes(obstore.get(store, "range", options={"range": {"suffix": 262_144}}).bytes())
    ctx.expect(got == data, "a long suffix is not the whole object")


def copy(ctx):
    ctx.seed(ctx.odd_key)
    obstore.copy(_store(ctx), ctx.odd_key, "copied")
    ctx.expect_stored("copied", "small")


def list(ctx):
    names = ctx.seed_all("list/", "a/x", "a/y", "b/x", "b/y")
    got = [entry["path"] for page in obstore.list(_store(ctx), "list") for entry in page]
    ctx.expect(sorted(got) == names, f"listed {got}")
    folders = obstore.list_with_delimiter(_store(ctx), "list")["common_prefixes"]
    ctx.expect(sorted(folders) == ["list/a", "list/b"], f"prefixes {folders}")


def delete(ctx):
    names = ctx.seed_all("delete/", "one", "two", "a&b")
    obstore.delete(_store(ctx), names)
    ctx.expect_keys("delete/", [])


def presign(ctx):
    store, lifetime = _store(ctx), datetime.timedelta(minutes=5)
    url = obstore.sign(store, "PUT", "signed", lifetime)
    ctx.fetch(url, ctx.data("small"))
    url = obstore.sign(store, "GET", "signed", lifetime)
    ctx.expect_bytes(ctx.fetch(url), "small")


def cond(ctx):
    store = _store(ctx)
    first = obstore.put(store, "cond", b"1", mode="create")
    with ctx.expect_error(AlreadyExistsError, "cond"):
        obstore.put(store, "cond", b"2", mode="create")
    obstore.put(store, "cond", b"3", mode={"e_tag": first["e_tag"]})
    with ctx.expect_error(PreconditionError, "cond"):
        obstore.put(store, "cond", b"4", mode={"e_tag": first["e_tag"]})
