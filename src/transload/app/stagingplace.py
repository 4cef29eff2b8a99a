"""Where images lie for gates: a folder of each run, in a place that nobody else can have made.

A run holds a lock beside its folder, so that others see whether it still works there. What nobody holds goes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transload.errors import Busy, FolderUnsafe, LocksMissing
from transload.files import Folder, local_errors
from transload.locks import claimed
from transload.values import frozen

FOLDER = "gates"
_RUN, _LOCK = "run-", ".lock"


@frozen(kw_only=True)
class Abandoned:
    """The folder of a run that was killed: how many bytes are in it, and when somebody last made something there."""

    path: Path
    size: int
    changed_s: float


@contextlib.contextmanager
def run_folder(state: Path | None) -> Iterator[Path]:
    """A new folder, which goes at the end. What killed runs left is removed. Raises `LocalError`, `FolderUnsafe`."""
    base = _base(state)
    for left in abandoned(base):
        remove(base, left)
    name = f"{_RUN}{secrets.token_hex(8)}"
    folder = base.path / name
    with _held(base, name + _LOCK):
        try:
            with local_errors("making the folder", folder):
                folder.mkdir(mode=0o700)
            yield folder
        finally:
            shutil.rmtree(folder, onerror=open_up)


def _base(state: Path | None) -> Folder:
    """The folder below the state folder, else a folder of this user below that for temporary files.

    Everybody may make a folder there, also one that looks like ours. Then it is refused: its owner could change what a
    gate has let pass.
    """
    if state is not None:
        with local_errors("making the folder", state):
            state.mkdir(parents=True, exist_ok=True)
        base = Folder(state, (FOLDER,))
        with local_errors("making the folder", base.path):
            base.make()
        return base
    user = os.getuid() if hasattr(os, "getuid") else None  # on Windows, each user has a folder for temporary files
    root = Path(tempfile.gettempdir()) / ("transload" if user is None else f"transload-{user}")
    with local_errors("making the folder", root):
        with contextlib.suppress(FileExistsError):
            root.mkdir(mode=0o700)
        status = root.lstat()
    private = stat.S_ISDIR(status.st_mode) and (user is None or (status.st_uid == user and not status.st_mode & 0o022))
    if not private:
        raise FolderUnsafe(
            f"{root} is a link, or others may write there, so images for gates do not lie there",
            subject=str(root),
            hint="set TRANSLOAD_STATE_DIR to a folder of your own",
        )
    base = Folder(root, (FOLDER,))
    with local_errors("making the folder", base.path):
        base.make()
    return base


def abandoned(base: Folder) -> Iterator[Abandoned]:
    """The folders of runs that were killed: those whose lock nobody holds. Raises `LocalError`."""
    with local_errors("looking into", base.path):
        names = sorted(name for name in base.entries() if name.startswith(_RUN) and not name.endswith(_LOCK))
    for name in names:
        status = base.status(name)
        if status is not None and stat.S_ISDIR(status.st_mode) and not _is_held(base, name):
            path = base.path / name
            yield Abandoned(path=path, size=_size(path), changed_s=status.st_mtime)


def _is_held(base: Folder, name: str) -> bool:
    """Whether a run works there. Where there are no locks nobody knows, so it counts as held."""
    if base.status(name + _LOCK) is None:
        return False
    try:
        with base.locked(name + _LOCK):
            return False
    except (Busy, LocksMissing):
        return True


def remove(base: Folder, left: Abandoned) -> bool:
    """Remove the folder of a killed run; False if somebody holds it by now."""
    with contextlib.suppress(Busy, LocksMissing), claimed(base, left.path.name + _LOCK):
        shutil.rmtree(left.path, onerror=open_up)
        return True
    return False


def _size(folder: Path) -> int:
    """The bytes of the files in a folder; those with several names count once."""
    sizes: dict[tuple[int, int], int] = {}
    for path, _, files in os.walk(folder):  # it follows no links
        for name in files:
            with contextlib.suppress(OSError):
                status = os.lstat(os.path.join(path, name))  # noqa: PTH118 - hundreds of thousands of files
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


@contextlib.contextmanager
def _held(base: Folder, name: str) -> Iterator[None]:
    """Hold the lock of a folder, where the file system has locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(LocksMissing):
            stack.enter_context(claimed(base, name))
        yield


def open_up(function: Any, path: str, _error: object) -> None:
    """A program may take away permissions from what it was given: give them back, and try once more."""
    place = Path(path)
    with contextlib.suppress(OSError):
        place.parent.chmod(0o700)
        if place.is_dir() and not place.is_symlink():
            place.chmod(0o700)
            shutil.rmtree(place, ignore_errors=True)
        else:
            function(path)
