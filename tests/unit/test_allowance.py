"""How many threads a process can have, and what happens where that is one, or where memory is short."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from transload.allowance import affordable, files_allowed, parts_affordable, space_left
from transload.threads import TaskGroup

resource = pytest.importorskip("resource", reason="limits of POSIX")

MIB = 1 << 20


@pytest.mark.parametrize(
    ("files", "space", "threads"),
    [(None, None, 16), (1024, None, 16), (64, None, 8), (32, None, 3), (20, None, 1), (0, None, 1), (None, 0, 1)]
    + [(None, -1, 1), (None, 1 << 30, 16), (64, 100 * MIB, 8), (64, 60 * MIB, 2)],
)
def test_what_is_affordable(files: int | None, space: int | None, threads: int) -> None:
    assert affordable(16, files, space) == threads
    assert affordable(1, files, space) == 1


def test_no_limit_is_asked_for_where_there_is_none() -> None:
    assert files_allowed() is None or (files_allowed() or 0) > 0
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        assert space_left() is None


FEW = """
import resource
from transload.allowance import divided, parts_affordable, threads_affordable
for files in (1024, 256, 64):
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    with divided(parts := parts_affordable(20)):
        print(parts, threads_affordable(16))
"""


def test_twenty_parts_work_at_a_time_with_one_thread_each_rather_than_one_with_all() -> None:
    assert parts_affordable(1) == 1
    ran = subprocess.run([sys.executable, "-c", FEW], capture_output=True, text=True, timeout=300, check=False)
    assert (ran.stdout.splitlines(), ran.stderr) == (["20 6", "20 1", "5 1"], "")


PROGRAM = """
import resource, threading
from transload.threads import in_parallel
resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))
print(set(in_parallel(lambda _: threading.current_thread(), range(9), 4)) == {threading.current_thread()})
"""


def test_work_is_done_here_if_there_may_be_one_thread() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=False)
    assert (ran.stdout, ran.stderr) == ("True\n", "")


def test_a_thread_that_ended_without_a_word_is_not_waited_for() -> None:
    """Where there is no memory left, a thread may end before it can say so."""
    ended = threading.Thread(target=lambda: None)
    ended.start()
    ended.join()
    with pytest.raises(MemoryError), TaskGroup() as group:
        group._running.add(ended)
