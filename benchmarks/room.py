"""Whether there is room on the disk for what a scene writes, asked before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

GIB = 1 << 30
RESERVE_BYTES = 2 * GIB


class NoRoom(Exception):
    """The disk is too small for a scene."""


def needs(folder: Path, size: int) -> None:
    """`size` bytes are going to be written below `folder`. Raises `NoRoom`."""
    free = shutil.disk_usage(folder).free
    if free < size + RESERVE_BYTES:
        raise NoRoom(f"needs {size / GIB:.1f} GiB below {folder} and a reserve; {free / GIB:.1f} GiB are free")
