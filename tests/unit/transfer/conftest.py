"""Whatever happens in a run, its threads end with it."""

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert not [thread for thread in threading.enumerate() if thread not in before]
