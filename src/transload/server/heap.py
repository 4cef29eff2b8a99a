"""Memory that was freed goes back to the system.

glibc has a heap for each thread, and what is freed in the middle of one stays with the process: under load, the memory
of a server would grow until every thread has once had the largest bodies at the same time (mallopt(3), M_ARENA_MAX).
"""

from __future__ import annotations

import contextlib
import sys


def give_back() -> None:
    """Give free memory back. It does nothing where the C library cannot. It takes milliseconds, so call it rarely."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):  # a Python without ctypes; musl
        from ctypes import CDLL

        CDLL(None).malloc_trim(0)
