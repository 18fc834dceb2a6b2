"""The table of cases, in the order in which they run."""

from bad_input.cases import (
    access,
    bodies,
    documents,
    end,
    framing,
    keys,
    presigned,
    start,
    uploads,
    words,
)

TABLE = [
    *access.CASES,
    *presigned.CASES,
    *bodies.CASES,
    *uploads.CASES,
    *documents.CASES,
    *words.CASES,
    *keys.CASES,
    *framing.CASES,
    *start.CASES,
    *end.CASES,
]
