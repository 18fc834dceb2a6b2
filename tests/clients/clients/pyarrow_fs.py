"""pyarrow's S3 file system over the C++ SDK: multipart even for five bytes, unsigned trailers."""

import pyarrow
import pyarrow.dataset
import pyarrow.fs
import pyarrow.parquet


def _fs(ctx):
    trust = {"tls_ca_file_path": ctx.ca_file} if ctx.tls else {}
    return pyarrow.fs.S3FileSystem(
        access_key=ctx.access_key, secret_key=ctx.secret_key, region=ctx.region,
        scheme="https" if ctx.tls else "http", endpoint_override=ctx.host, **trust)


def there_and_back(ctx, key, name):
    fs, path = _fs(ctx), f"{ctx.bucket}/{key}"
    with fs.open_output_stream(path) as stream:
        stream.write(ctx.data(name))
    ctx.expect_stored(key, name)
    with fs.open_input_stream(path) as stream:
        ctx.expect_bytes(stream.read(), name)


def range(ctx):
    ctx.seed("range")
    with _fs(ctx).open_input_file(f"{ctx.bucket}/range") as file:
        ctx.expect(file.read_at(200, 100) == ctx.data("small")[100:300], "other bytes")


def copy(ctx):
    ctx.seed(ctx.odd_key)
    _fs(ctx).copy_file(f"{ctx.bucket}/{ctx.odd_key}", f"{ctx.bucket}/copied")
    ctx.expect_stored("copied", "small")


def list(ctx):
    ctx.seed_all("list/", "a/x", "b/y")
    fs = _fs(ctx)
    got = sorted(one.path for one in fs.get_file_info(
        pyarrow.fs.FileSelector(f"{ctx.bucket}/list", recursive=True)))
    want = [f"{ctx.bucket}/list/{name}" for name in ("a", "a/x", "b", "b/y")]
    ctx.expect(got == want, f"listed {got}")


def delete(ctx):
    ctx.seed_all("delete/", "one", "two", "three")
    _fs(ctx).delete_dir(f"{ctx.bucket}/delete")
    ctx.expect_keys("delete/", [])


def work(ctx):
    table = pyarrow.table({"n": pyarrow.array(i for i in b"0123456789" * 1000),
                           "s": ["a", "b"] * 5000})
    fs, path = _fs(ctx), f"{ctx.bucket}/dataset"
    pyarrow.parquet.write_to_dataset(table, path, partition_cols=["s"], filesystem=fs)
    back = pyarrow.dataset.dataset(path, filesystem=fs, partitioning="hive").to_table()
    ctx.expect(back.num_rows == 10000, f"{back.num_rows} rows came back")
    total = pyarrow.compute.sum(back["n"]).as_py()
    ctx.expect(total == sum(b"0123456789") * 1000, f"the sum is {total}")
