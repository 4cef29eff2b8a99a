"""A plugin of pytest that says of each collected test whether its marks leave it out: a line of JSON each."""

from __future__ import annotations

import json

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items:
        conditions = [mark.args[0] for mark in item.iter_markers("skipif")]
        left_out = any(conditions) or any(item.get_closest_marker(name) for name in ("skip", "xfail"))
        path, _, name = item.nodeid.partition("::")
        print(json.dumps({"path": path, "name": name.partition("[")[0].rpartition("::")[2], "left out": left_out}))
