"""One row of the table, and requests that rows of several tables need."""

import collections

from bad_input.values import BUCKET, UNSIGNED

Case = collections.namedtuple("Case", "name how status code", defaults=["-"])


def delete_document(count, key="k", end=""):
    return f"<Delete>{f'<Object><Key>{key}</Key></Object>' * count}{end}</Delete>".encode()


def http_chunks(g, body):
    """A Complete whose document comes in HTTP's own chunks."""
    head = g.signed("POST", f"/{BUCKET}/joined?uploadId={g.upload}", payload=UNSIGNED,
                    length=False, unsigned=[("Transfer-Encoding", "chunked")])
    return head + body
