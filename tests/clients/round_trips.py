"""Checks that are one upload and one download, for every client that can do both.

A client file that has `there_and_back(ctx, key, name)`, which uploads a fixture under a key,
downloads it and compares, has these checks too. A function of its own takes their place.
"""


def checks(there_and_back):
    """The checks by name."""
    def multi(ctx):
        there_and_back(ctx, "big", "big")
        ctx.expect_multipart("big")

    return {
        "small": lambda ctx: there_and_back(ctx, "small", "small"),
        "empty": lambda ctx: there_and_back(ctx, "empty", "empty"),
        "multi": multi,
        "key": lambda ctx: there_and_back(ctx, ctx.odd_key, "small"),
    }
