"""Memory that was freed goes back to the system.

glibc has a heap for each thread, and what is freed in the middle of one stays with the process: under load, the memory
of a server would grow until every thread has once had the largest bodies at the same time (mallopt(3), M_ARENA_MAX).
"""

from __future__ import annotations

import contextlib
import sys

_M_ARENA_MAX = -8  # malloc.h


def share_one_heap() -> None:
    """Let all threads that begin from now on use one heap. For a process that only serves: it concerns all of it.

    It does nothing where the C library cannot.
    """
    _call("mallopt", _M_ARENA_MAX, 1)


def give_back() -> None:
    """Give free memory back. It does nothing where the C library cannot. It takes milliseconds, so call it rarely."""
    _call("malloc_trim", 0)


def _call(function: str, *arguments: int) -> None:
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):  # a Python without ctypes; musl
        from ctypes import CDLL

        getattr(CDLL(None), function)(*arguments)
