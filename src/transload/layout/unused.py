"""Taking a layout away that was made for a run which then brought nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from transload.oci.imagelayout import INDEX, MARKER

_EMPTY = (MARKER, INDEX, ".transload/lock", ".transload/ingest", ".transload", "blobs/sha256", "blobs")


def absent_folders(root: Path) -> tuple[Path, ...]:
    """What `root` and the folders above it lack, innermost first: what making `root` will make."""
    return tuple(folder for folder in (root, *root.parents) if not folder.exists())


def take_away(root: Path, made: Iterable[Path]) -> None:
    """Remove the files of a layout without content, and the folders `made` for it as far as they are empty.

    The marker goes first, so that nobody finds half a layout. Whatever else lies there keeps everything as it is.
    """
    with contextlib.suppress(OSError):
        if {path.relative_to(root).as_posix() for path in root.rglob("*")} - set(_EMPTY):
            return
        for path in (root / name for name in _EMPTY):
            with contextlib.suppress(FileNotFoundError):
                path.rmdir() if path.is_dir() else path.unlink()
        for folder in made:
            folder.rmdir()
