"""What the file system of a folder does not take, as far as the system tells which one it is."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from transload.errors import LocalError

_MOUNTS = Path("/proc/self/mountinfo")  # Linux: proc_pid_mountinfo(5)
_FAT = frozenset({"vfat", "msdos", "fuse.fusefat"})
_FAT_FILE_BYTES = (4 << 30) - 1


def kind_of_mount(folder: Path) -> str | None:
    """The type of the file system, as the kernel calls it (`ext4`, `vfat`); None where it does not say."""
    with contextlib.suppress(OSError):
        lines = _MOUNTS.read_text("utf-8", "replace").splitlines()
        device = folder.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        for line in lines:
            mount, _, source = line.partition(" - ")
            if mount.split(" ")[2:3] == [number]:
                return source.split(" ")[0]
    return None


def mount_point(folder: Path) -> Path | None:
    """Where the medium that holds `folder` is mounted; None if it is on the disk that holds everything."""
    places = (folder.resolve(), *folder.resolve().parents)
    return next((place for place in places[:-1] if os.path.ismount(place)), None)


def check_file_size(folder: Path, size: int, what: str, hint: str) -> bool:
    """Raise `LocalError` if the file system of `folder` takes no file of `size` bytes. `what` names the file.

    Returns whether the file system is known.
    """
    kind = kind_of_mount(folder)
    if kind in _FAT and size > _FAT_FILE_BYTES:
        raise LocalError(
            f"{what} would be a file of {size} bytes, and {folder} is formatted with FAT, whose files are below 4 GiB",
            subject=str(folder),
            hint=hint,
        )
    return kind is not None
