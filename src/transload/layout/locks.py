"""Two ways to hold a lock file: for as long as one blob is written, and for the moment in which an index changes."""

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
    """Hold a lock file that is gone afterwards. Raises `Busy` at once if somebody else holds it.

    Whoever opened the file just before its holder deleted it locks a file that nobody else will ever find, and so
    looks whether the name still leads to what was locked.
    """
    while True:
        with folder.locked(name) as file:
            if not _is_at(folder, name, file.fileno()):
                continue
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows does not delete an open file; then it simply stays
                    folder.unlink(name)
            return


@contextlib.contextmanager
def awaited(folder: Folder, name: str, clock: Clock, patience_s: float) -> Iterator[None]:
    """Hold a lock file that stays, waiting for other holders. Raises `Busy` after `patience_s` seconds."""
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
        held, found = os.fstat(descriptor), folder.status(name)
    return found is not None and (held.st_dev, held.st_ino) == (found.st_dev, found.st_ino)
