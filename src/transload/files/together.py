"""Writes several files below a folder: all of them, or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from transload.errors import FileExists, FolderUnsafe, LocalError
from transload.files.durable import fsync_folder, write_all
from transload.files.trouble import local_errors
from transload.values import frozen

_SHOWN = 5


@frozen
class NewFile:
    """The content of a file, and its permissions."""

    content: bytes
    mode: int = 0o644


def write_together(folder: Path, files: Mapping[PurePosixPath, NewFile], *, replace: bool = False) -> None:
    """Write these files below `folder`, which is made if it is not there.

    A file that is there already with the same content is written again, with its permissions. Nothing is written if one
    is there with other content, unless `replace`; if a folder on the way is a link; or if the disk has no room for all.
    If the program is killed, hidden files may stay, and some files may be new and others not; each is whole, and the
    same call completes them. Raises `FileExists`, `FolderUnsafe`, `LocalError`.
    """
    for name in files:
        _check_name(name, folder)
    paths = {folder.joinpath(*name.parts): file for name, file in files.items()}
    with local_errors("writing", folder):
        for path in paths:
            _check_way(folder, path)
        if not replace:
            _check_free(paths)
        made: list[Path] = []
        beside: dict[Path, Path] = {}
        try:
            for path, file in paths.items():
                _make(path.parent, made)
                beside[path] = _written(path, file)
            for path, temporary in beside.items():
                temporary.replace(path)
        except BaseException:
            _take_back(beside.values(), made)
            raise
        for parent in {path.parent for path in paths}:
            fsync_folder(parent)


def _check_name(name: PurePosixPath, folder: Path) -> None:
    if name.is_absolute() or not name.parts or ".." in name.parts:
        raise FolderUnsafe(
            f"{str(name)!r} is no name below {folder}", subject=str(folder), hint="name the file by its own name"
        )


def _check_way(folder: Path, path: Path) -> None:
    """Raises an error if `path` would lead out of the folder through a link, or is a folder, a device or a pipe."""
    for above in path.parents:
        if above == folder:
            break
        if above.is_symlink():
            raise FolderUnsafe(
                f"{above} is a link, and files would be written where it leads",
                subject=str(above),
                hint="take the link away, or name another folder",
            )
    if not path.is_symlink() and path.exists() and not path.is_file():
        raise LocalError(f"{path} is there, and is no file", subject=str(path), hint="name another folder")


def _check_free(paths: Mapping[Path, NewFile]) -> None:
    others = [path for path, file in paths.items() if os.path.lexists(path) and not _same(path, file.content)]
    if others:
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise FileExists(
            f"there already, with other content: {', '.join(map(str, others[:_SHOWN]))}{more}",
            subject=str(others[0]),
            hint="compare them first; --force replaces them",
        )


def _same(path: Path, content: bytes) -> bool:
    return not path.is_symlink() and path.stat().st_size == len(content) and path.read_bytes() == content


def _make(folder: Path, made: list[Path]) -> None:
    absent = [above for above in (folder, *folder.parents) if not above.exists()]
    for above in reversed(absent):
        above.mkdir()
        made.append(above)


def _written(path: Path, file: NewFile) -> Path:
    """The content in a file beside `path`, flushed; nobody else could open a secret one at any moment."""
    temporary = path.with_name(f".{path.name[:40]}.{os.getpid()}.{os.urandom(4).hex()}")
    number = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode & 0o600)
    try:
        with os.fdopen(number, "wb", buffering=0) as opened:
            write_all(opened, file.content)
            temporary.chmod(file.mode)
            os.fsync(opened.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _take_back(temporaries: Iterable[Path], made: list[Path]) -> None:
    for temporary in temporaries:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    for folder in reversed(made):
        with contextlib.suppress(OSError):
            folder.rmdir()
