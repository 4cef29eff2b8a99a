"""Two ways to hold a lock file: while one blob is written, and for the short time of a change of the index."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from transload.clock import Clock
from transload.errors import Busy
from transload.files import Folder, local_errors

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.002, 0.1


@contextlib.contextmanager
def claimed(folder: Folder, name: str) -> Iterator[None]:
    """Hold a lock file that is deleted afterwards. Raises `Busy` at once if it is held already.

    A process may open the file just before its holder deletes it, and then lock a file without a name. So after locking
    it checks that the name still leads to the locked file, and tries again if not.
    """
    while True:
        with folder.locked(name) as file:
            if not _is_at(folder, name, file.fileno()):
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows does not delete an open file: it stays
                    folder.unlink(name)
            return


@contextlib.contextmanager
def awaited(folder: Folder, name: str, clock: Clock, patience_s: float) -> Iterator[None]:
    """Wait for a lock file that stays, and hold it. Raises `Busy` after `patience_s` seconds."""
    pause_s, deadline_s = _FIRST_PAUSE_S, clock.monotonic_s() + patience_s
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(folder.locked(name))
                break
            except Busy as error:
                if clock.monotonic_s() >= deadline_s:
                    error.hint = "wait for the other process, or end it, and run the same command again"
                    raise
            clock.sleep_s(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        yield


def _is_at(folder: Folder, name: str, descriptor: int) -> bool:
    with local_errors("looking for", folder.path / name):
        locked, named = os.fstat(descriptor), folder.status(name)
    return named is not None and (locked.st_dev, locked.st_ino) == (named.st_dev, named.st_ino)
