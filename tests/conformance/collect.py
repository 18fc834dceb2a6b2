"""A pytest plugin that writes each collected item's id and markers to the file in RIG_COLLECTED."""

import json
import os
import pathlib


def pytest_collection_finish(session):
    items = [[item.nodeid, sorted({mark.name for mark in item.iter_markers()})]
             for item in session.items]
    pathlib.Path(os.environ["RIG_COLLECTED"]).write_text(json.dumps(items))
