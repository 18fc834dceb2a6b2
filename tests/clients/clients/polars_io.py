"""polars over Rust's object_store: ranged reads with suffixes, uploads in parts."""

import polars


def _options(ctx):
    return {
        "aws_access_key_id": ctx.access_key, "aws_secret_access_key": ctx.secret_key,
        "aws_region": ctx.region, "aws_endpoint_url": ctx.endpoint,
        "aws_allow_http": str(not ctx.tls).lower(),
    }


def _frame(rows):
    return polars.select(n=polars.int_range(rows), h=polars.int_range(rows).hash(seed=1))


def small(ctx):
    url = f"s3://{ctx.bucket}/small.parquet"
    _frame(1000).write_parquet(url, storage_options=_options(ctx))
    back = polars.read_parquet(url, storage_options=_options(ctx))
    ctx.expect(back.equals(_frame(1000)), "another table came back")


def multi(ctx):
    url, table = f"s3://{ctx.bucket}/big.parquet", _frame(4_000_000)
    table.write_parquet(url, compression="uncompressed", storage_options=_options(ctx))
    ctx.expect_multipart("big.parquet")
    back = polars.read_parquet(url, storage_options=_options(ctx))
    ctx.expect(back.equals(table), "another table came back")


def key(ctx):
    name = "a b+c/é~%$&@=;:.parquet"
    url = f"s3://{ctx.bucket}/{name}"
    _frame(10).write_parquet(url, storage_options=_options(ctx))
    ctx.expect_keys("a b+c/", [name])
    back = polars.read_parquet(url, storage_options=_options(ctx), glob=False)
    ctx.expect(back.equals(_frame(10)), "another table came back")


def range(ctx):
    url = f"s3://{ctx.bucket}/range.parquet"
    _frame(200_000).write_parquet(url, row_group_size=20_000, storage_options=_options(ctx))
    lazy = polars.scan_parquet(url, storage_options=_options(ctx))
    got = lazy.filter(polars.col("n") == 150_000).select("n").collect()
    ctx.expect(got["n"].to_list() == [150_000], f"rows are {got}")


def list(ctx):
    for number in (1, 2, 3):
        _frame(number).write_parquet(f"s3://{ctx.bucket}/list/{number}.parquet",
                                     storage_options=_options(ctx))
    found = polars.read_parquet(f"s3://{ctx.bucket}/list/*.parquet",
                                storage_options=_options(ctx))
    ctx.expect(found.height == 6, f"{found.height} rows in the three files")


def work(ctx):
    url = f"s3://{ctx.bucket}/sunk.csv"
    polars.LazyFrame({"n": [1, 2, 3]}).sink_csv(url, storage_options=_options(ctx))
    got = polars.scan_csv(url, storage_options=_options(ctx)).sum().collect().item()
    ctx.expect(got == 6, f"the sum is {got}")
