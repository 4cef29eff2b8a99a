"""How much the operating system allows this process: open files (`ulimit -n`) and address space (`ulimit -v`).

A limit on threads (`ulimit -u`, pids.max of a container) cannot be asked for: it counts those of other programs too.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

from transload.errors import LocalError

try:  # POSIX
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_FILES_BESIDE = 14  # standard streams, the list of images, the state, a module that is imported
_FILES_OF_A_THREAD = 6  # two connections, a blob, its lock, and two folders on the way to them
_SPACE_BESIDE = 48 << 20  # certificates, documents, other threads
_SPACE_OF_A_THREAD = 6 << 20  # its stack, buffers, TLS
_STACK_BYTES = 1 << 20
_MANY_IMAGES = 1000
_M_ARENA_MAX = -8  # malloc.h of glibc


def files_allowed() -> int | None:
    """How many files this process may have open; None if there is no limit, or none known (Windows)."""
    if resource is None:
        return None
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return None if allowed == resource.RLIM_INFINITY else allowed


def threads_affordable(wanted: int) -> int:
    """How many of the `wanted` threads this part of the process can have now."""
    files, space = files_allowed(), space_left()
    if files is not None and _parts > 1:
        files = _FILES_BESIDE + (files - files // 4 - _FILES_BESIDE) // _parts
    if space is not None and _parts > 1:
        space = _SPACE_BESIDE + (space - _SPACE_BESIDE) // _parts
    return affordable(wanted, files, space)


_parts = 1
_is_own = False


def parts_affordable(wanted: int) -> int:
    """How many of the `wanted` parts can work at a time, if each has only one thread; see `divided`."""
    files = files_allowed()
    return affordable(wanted, None if files is None else files - files // 4, space_left())


@contextlib.contextmanager
def divided(parts: int) -> Iterator[None]:
    """In the block, so many parts of the process work at a time, and each gets its share of threads.

    A quarter of the files is left for what the parts have in common.
    """
    global _parts
    before, _parts = _parts, parts
    try:
        yield
    finally:
        _parts = before


def space_left() -> int | None:
    """How many bytes of address space this process may still take; None if there is no limit, or none known."""
    if resource is None:
        return None
    allowed = resource.getrlimit(resource.RLIMIT_AS)[0]
    if allowed == resource.RLIM_INFINITY:
        return None
    from pathlib import Path  # most programs have no such limit, and start without this

    with contextlib.suppress(OSError, ValueError):  # proc(5), statm: pages
        return allowed - int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return None


def affordable(wanted: int, files: int | None, space: int | None) -> int:
    """How many of the `wanted` threads a process can have with this many files, and this many bytes left. Pure.

    >>> affordable(16, None, None), affordable(16, 1024, None), affordable(16, 32, None), affordable(16, None, 64 << 20)
    (16, 16, 3, 2)
    """
    most = [wanted]
    if files is not None:
        most.append((files - _FILES_BESIDE) // _FILES_OF_A_THREAD)
    if space is not None:
        most.append((space - _SPACE_BESIDE) // _SPACE_OF_A_THREAD)
    return max(1, min(most))


def no_memory() -> LocalError:
    """The error for memory that the system does not give."""
    return LocalError("there is not enough memory", hint="end other programs, or raise the limit (ulimit -v)")


def be_sparing() -> None:
    """Where the address space is limited, give threads small stacks and one heap. Call it before the first thread.

    A thread takes 8 MiB for its stack and 64 MiB for a heap of its own (glibc), nearly all of which it never uses.
    Only a command calls it, to which the process belongs; a program that imports the library decides for itself.
    """
    global _is_own
    _is_own = True
    if space_left() is None:
        return
    threading.stack_size(_STACK_BYTES)
    share_one_heap()


def expect_images(images: int) -> None:
    """Call it before threads work on so many. In a command, those of many images share one heap.

    With 10,000 images, heaps of their own took 50 MiB more.
    """
    if _is_own and images >= _MANY_IMAGES:
        share_one_heap()


def share_one_heap() -> None:
    """Let all threads that begin from now on use one heap. For a program that may decide so: it concerns all of it.

    glibc has a heap for each thread, and what is freed in the middle of one stays with the process: memory would grow
    until every thread has once had the largest bodies, or its part of a million small values (mallopt(3)).
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
