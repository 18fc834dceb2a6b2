"""DuckDB's httpfs: Parquet over ranged reads, writes in parts."""

import duckdb
import duckdb_extensions


def _open(ctx):
    duckdb_extensions.import_extension("httpfs")
    db = duckdb.connect()
    db.execute("LOAD httpfs")
    if ctx.tls:
        db.execute(f"SET ca_cert_file = '{ctx.ca_file}'")
    db.execute(f"""CREATE SECRET (TYPE s3, PROVIDER config, KEY_ID '{ctx.access_key}',
        SECRET '{ctx.secret_key}', REGION '{ctx.region}', ENDPOINT '{ctx.host}',
        URL_STYLE 'path', USE_SSL {str(ctx.tls).lower()})""")
    return db


def small(ctx):
    db, url = _open(ctx), f"s3://{ctx.bucket}/small.parquet"
    db.execute(f"COPY (SELECT range AS n FROM range(1000)) TO '{url}'")
    total = db.execute(f"SELECT count(*), sum(n) FROM '{url}'").fetchone()
    ctx.expect(total == (1000, 499500), f"count and sum are {total}")


def multi(ctx):
    db, url = _open(ctx), f"s3://{ctx.bucket}/big.parquet"
    db.execute("SET s3_uploader_max_filesize = '50GB'")  # Parts of 5 MiB.
    db.execute(f"""COPY (SELECT range AS n, hash(range) AS h, hash(range + 1) AS i
        FROM range(1500000)) TO '{url}' (COMPRESSION uncompressed)""")
    ctx.expect_multipart("big.parquet")
    total = db.execute(f"SELECT count(*), bool_and(h = hash(n)) FROM '{url}'").fetchone()
    ctx.expect(total == (1500000, True), f"count and hashes are {total}")


def key(ctx):
    # Without characters that are patterns of DuckDB (? and *), or end its parsing of a URL (: & ?).
    db, url = _open(ctx), f"s3://{ctx.bucket}/a b+c/é~%$@=;.csv"
    db.execute(f"COPY (SELECT 42 AS n) TO '{url}'")
    ctx.expect_keys("a b+c/", ["a b+c/é~%$@=;.csv"])
    ctx.expect(db.execute(f"SELECT n FROM '{url}'").fetchone() == (42,), "another value came back")


def range(ctx):
    db, url = _open(ctx), f"s3://{ctx.bucket}/range.parquet"
    db.execute(f"""COPY (SELECT range AS n, hash(range) AS h FROM range(300000)) TO '{url}'
        (ROW_GROUP_SIZE 30000)""")
    got = db.execute(f"SELECT h = hash(n) FROM '{url}' WHERE n = 250000").fetchall()
    ctx.expect(got == [(True,)], f"rows are {got}")


def list(ctx):
    db = _open(ctx)
    for number in (1, 2, 3):
        db.execute(f"COPY (SELECT {number} AS n) TO 's3://{ctx.bucket}/list/{number}.csv'")
    got = db.execute(f"SELECT sum(n) FROM 's3://{ctx.bucket}/list/*.csv'").fetchone()
    ctx.expect(got == (6,), f"sum is {got}")


def work(ctx):
    db, url = _open(ctx), f"s3://{ctx.bucket}/lake"
    db.execute(f"""COPY (SELECT range AS n, range % 4 AS shard FROM range(10000)) TO '{url}'
        (FORMAT parquet, PARTITION_BY shard)""")
    got = db.execute(f"SELECT count(*) FROM '{url}/*/*.parquet' WHERE shard = 3").fetchone()
    ctx.expect(got == (2500,), f"count is {got}")
