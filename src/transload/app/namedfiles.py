"""The files and charts that a person names: single ones, standard input, addresses, and all in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from transload.discovery.charts.package import CHART_FILE
from transload.discovery.finding import Place, Unread
from transload.errors import LocalError
from transload.files import expanded, local_errors
from transload.limits import DISCOVERED_FILES
from transload.oci.reference import shown
from transload.values import define, frozen

STANDARD_INPUT = "-"
_REMOTE = ("oci://", "https://", "http://")


@frozen
class NamedFile:
    """A file to read, as it is called in places. `alone` says that a person named it, and not only its folder.

    `path` is None for standard input and for a chart that must be fetched; it is a folder for a chart that is one.
    """

    name: str
    path: Path | None
    alone: bool = False


@define
class Counts:
    """How many files were read, and how many hidden files and folders were left out."""

    files: int = 0
    hidden: int = 0


def is_remote(path: str) -> bool:
    """Whether a chart has to be fetched from this address."""
    return path.startswith(_REMOTE)


def named_files(paths: Sequence[str], counts: Counts, written: Path | None = None) -> Iterator[NamedFile | Unread]:
    """Every file and chart that the paths mean, each once. `written` is the file of the result, which is not read.

    In a folder, the order is that of the names. Links are not followed: one that leads out of the folder is told, what
    others lead to is read where it is. Raises `LocalError` for a path that does not exist.
    """
    for path in dict.fromkeys(paths):
        if path == STANDARD_INPUT or is_remote(path):
            yield NamedFile(path, None, alone=True)
            continue
        named = expanded(path)
        if named.name == CHART_FILE and named.is_file():  # it says nothing without the files beside it
            named = named.parent
        if named.is_dir():
            yield from _in_folder(named, counts, written)
        elif named.exists():
            yield NamedFile(str(named), named, alone=True)
        else:
            raise LocalError(
                f"there is no file {shown(path)}",
                subject=shown(path),
                hint="name files, folders or charts, or - for standard input",
            )


def _in_folder(folder: Path, counts: Counts, written: Path | None) -> Iterator[NamedFile | Unread]:
    seen = 0
    closed: list[OSError] = []
    with local_errors("reading", folder):
        root = folder.resolve()
        own = written.resolve() if written else None
        for parent, folders, names in os.walk(folder, onerror=closed.append):
            if CHART_FILE in names:
                folders.clear()
                seen += 1
                if seen > DISCOVERED_FILES:
                    raise _too_many(folder)
                yield NamedFile(parent, Path(parent))
                continue
            counts.hidden += sum(name.startswith(".") for name in (*folders, *names))
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            linked = [name for name in folders if Path(parent, name).is_symlink()]
            for name in sorted(name for name in (*names, *linked) if not name.startswith(".")):
                seen += 1
                if seen > DISCOVERED_FILES:
                    raise _too_many(folder)
                path = Path(parent, name)
                if path.is_symlink():
                    yield from _link(path, root)
                elif own is None or path.resolve() != own:
                    yield NamedFile(str(path), path)
    for error in closed:
        reason = f"the folder cannot be read: {error.strerror}"
        yield Unread(place=Place(file=str(error.filename or folder)), reason=reason)


def _link(path: Path, root: Path) -> Iterator[Unread]:
    """Nothing for a link to what is read at its own place; else that it is not followed."""
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):  # RuntimeError: a circle of links, before Python 3.13
        yield Unread(place=Place(file=str(path)), reason="a link that leads nowhere")
        return
    if not target.is_relative_to(root) or any(part.startswith(".") for part in target.relative_to(root).parts):
        reason = "a link out of the folder, which is not followed: name what it leads to"
        yield Unread(place=Place(file=str(path)), reason=reason)


def _too_many(folder: Path) -> LocalError:
    return LocalError(
        f"{folder} has more than {DISCOVERED_FILES} files",
        subject=str(folder),
        hint="name the folders with the manifests",
    )
