"""Two ways to hold a lock file: for long work of one process, and for the short time in which a file is replaced."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from io import FileIO

from transload.clock import Clock
from transload.errors import Busy, LocksMissing
from transload.files import Folder

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.1


@contextlib.contextmanager
def claimed(folder: Folder, name: str) -> Iterator[FileIO]:
    """Hold a lock file, and give it; it is deleted afterwards.

    Raises `Busy` at once if it is held already, `LocksMissing`.

    A process may open the file just before its holder deletes it, and then lock a file without a name. So after locking
    it checks that the name still leads to the locked file, and tries again if not.
    """
    while True:
        with folder.locked(name) as file:
            if not folder.leads_to(name, file):
                continue
            try:
                yield file
            finally:
                with contextlib.suppress(OSError):  # Windows does not delete an open file: it stays
                    folder.unlink(name)
            return


@contextlib.contextmanager
def awaited(
    folder: Folder,
    name: str,
    clock: Clock,
    patience_s: float,
    hold: Callable[[Folder, str], AbstractContextManager[object]] = Folder.locked,
) -> Iterator[bool]:
    """Wait for a lock file, and hold it: a file that stays, or with `claimed` one that goes. Gives whether it is held.

    It is not held where the file system has no locks. Raises `Busy` after `patience_s` seconds.
    """
    held = True
    pause_s, deadline_s = _FIRST_PAUSE_S, clock.monotonic_s() + patience_s
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(hold(folder, name))
                break
            except LocksMissing:
                held = False
                break
            except Busy as error:
                if clock.monotonic_s() >= deadline_s:
                    error.hint = "wait for the other process, or end it, and run the same command again"
                    raise
            clock.sleep_s(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        yield held
