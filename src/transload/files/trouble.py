"""Turns what the operating system raises about files into errors of transload."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from transload.errors import DiskFull, LocalError, PermissionRefused

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REFUSING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "the quota of this user is used up: free some space and run the same command again",
    errno.EMFILE: "raise the limit (ulimit -n), or lower --jobs",
    errno.ENFILE: "the whole machine has too many files open; end what opened them",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "the disk or its connection fails: look at the system's log, and use another disk",
}


@contextlib.contextmanager
def local_errors(doing: str, path: Path) -> Iterator[None]:
    """Translate `OSError` inside the block into `DiskFull`, `PermissionRefused` or `LocalError`."""
    try:
        yield
    except FileNotFoundError as error:
        if doing != "reading":
            raise local_error(error, f"{doing} {path}", str(path)) from error
        raise LocalError(f"there is no file {path}", subject=str(path)) from error
    except OSError as error:
        raise local_error(error, f"{doing} {path}", str(path)) from error


def local_error(error: OSError, doing: str, subject: str | None = None) -> LocalError:
    """The error to raise in place of `error`, which happened while `doing` something."""
    hint = _HINTS.get(error.errno or 0)
    if error.errno in FULL:
        return DiskFull(f"{doing}: no space left on the disk", subject=subject, hint=hint)
    kind = PermissionRefused if error.errno in _REFUSING else LocalError
    return kind(f"{doing}: {error.strerror or error}", subject=subject, hint=hint)
