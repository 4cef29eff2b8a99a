"""Removes a layout that was made for a run which then stored nothing in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from transload.oci.imagelayout import INDEX, MARKER

_EMPTY = (MARKER, INDEX, ".transload/lock", ".transload/ingest", ".transload", "blobs/sha256", "blobs")


def absent_folders(root: Path) -> tuple[Path, ...]:
    """`root` and the folders above it that do not exist, innermost first: making `root` will make them."""
    return tuple(folder for folder in (root, *root.parents) if not folder.exists())


def take_away(root: Path, made: Iterable[Path]) -> None:
    """Remove the files of a layout without content, and the folders `made` for it if they are empty.

    The marker goes first, so that no reader finds half a layout. If any other file is there, nothing is removed.
    """
    with contextlib.suppress(OSError):
        if {path.relative_to(root).as_posix() for path in root.rglob("*")} - set(_EMPTY):
            return
        for path in (root / name for name in _EMPTY):
            with contextlib.suppress(FileNotFoundError):
                path.rmdir() if path.is_dir() else path.unlink()
        for folder in made:
            folder.rmdir()
