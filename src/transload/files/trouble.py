"""Turns what the operating system raises about files into errors of transload."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from transload.errors import DiskFull, LocalError, MediumLost, PermissionRefused

# Of disks, of network mounts, and of drivers that run as programs.
_LOST = frozenset(
    {errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOTCONN, errno.ESHUTDOWN, errno.ECONNABORTED}
)
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_WAY_ON = "put it in again at the same place and run the same command again; if it is there, look at the system's log"
_REFUSING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_HINTS = {
    errno.ENOSPC: "free some space and run the same command again",
    errno.EDQUOT: "the quota of this user is used up: free some space and run the same command again",
    errno.EMFILE: "raise the limit (ulimit -n), or lower --jobs",
    errno.ENFILE: "the whole machine has too many files open; end what opened them",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EROFS: "it is read-only; a system also makes a disk read-only when it fails: look at the system's log",
    errno.EFBIG: "this file system takes no file of this size; FAT takes files below 4 GiB, exFAT and NTFS larger ones",
}


@contextlib.contextmanager
def local_errors(doing: str, path: Path) -> Iterator[None]:
    """Translate `OSError` inside the block into `DiskFull`, `PermissionRefused` or `LocalError`."""
    try:
        yield
    except FileNotFoundError as error:
        if doing != "reading":
            raise _not_there(error, doing, path) from error
        raise LocalError(f"there is no file {path}", subject=str(path)) from error
    except OSError as error:
        raise local_error(error, f"{doing} {path}", str(path)) from error


def _not_there(error: FileNotFoundError, doing: str, path: Path) -> LocalError:
    """The error for a file that cannot be made or changed: if its folder is not there, a medium was taken away."""
    folder = path.parent
    if folder.is_dir():
        return local_error(error, f"{doing} {path}", str(path))
    return MediumLost(
        f"{doing} {path}: the folder {folder} is not there; was the medium removed?", subject=str(path), hint=_WAY_ON
    )


def local_error(error: OSError, doing: str, subject: str | None = None) -> LocalError:
    """The error to raise in place of `error`, which happened while `doing` something."""
    hint = _HINTS.get(error.errno or 0)
    if error.errno in FULL:
        return DiskFull(f"{doing}: no space left on the disk", subject=subject, hint=hint)
    if error.errno in _LOST:
        why = f"the medium was removed, or it has failed ({error.strerror or error})"
        return MediumLost(f"{doing}: {why}", subject=subject, hint=_WAY_ON)
    kind = PermissionRefused if error.errno in _REFUSING else LocalError
    return kind(f"{doing}: {error.strerror or error}", subject=subject, hint=hint)
