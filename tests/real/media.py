"""Media with the file systems of sticks: images of a disk, mounted with the drivers that run without the kernel's."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

_MADE_WITH = {"exfat": ["mkfs.exfat"], "ntfs": ["mkfs.ntfs", "-q", "-F"]}
_DRIVERS = {"exfat": ["mount.exfat-fuse"], "ntfs": ["ntfs-3g"]}
IMAGE_BYTES = 64 << 20


def _told(*words: str | Path) -> str:
    """Run a program; skip the test if it fails, since most containers may not mount anything."""
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{words[0]} cannot be used here: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


@contextlib.contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Path]:
    """An empty medium of this kind (`exfat`, `ntfs`) for a block; skips the test where none can be mounted."""
    with inserted(kind, folder) as medium:
        yield medium.place


@frozen
class Medium:
    """A medium that is mounted at `place` from `device`; it can be pulled out, and put in again."""

    kind: str
    place: Path
    device: str

    def insert(self) -> None:
        """Mount it, repaired as after every pulling out."""
        if self.kind == "exfat":
            subprocess.run(["fsck.exfat", "-y", self.device], capture_output=True, check=False)
        _told(*_DRIVERS[self.kind], self.device, self.place)

    def pull(self) -> None:
        """Pull it out: the driver is killed, so that whoever has files open there gets errors at once."""
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (process / "cmdline").read_bytes().split(b"\0")
                if Path(os.fsdecode(words[0])).name == _DRIVERS[self.kind][0] and os.fsencode(self.place) in words:
                    os.kill(int(process.name), signal.SIGKILL)
        subprocess.run(["umount", "--lazy", str(self.place)], check=True)


@contextlib.contextmanager
def inserted(kind: str, folder: Path) -> Iterator[Medium]:
    """The same, as a medium that can be pulled out."""
    programs = ("losetup", "umount", _MADE_WITH[kind][0], _DRIVERS[kind][0])
    lacking = [program for program in programs if shutil.which(program) is None]
    if lacking:
        pytest.skip(f"{', '.join(lacking)} not installed")
    image, place = folder / f"{kind}.img", folder / kind
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    place.mkdir()
    _told(*_MADE_WITH[kind], image)
    device = _told("losetup", "--find", "--show", image)
    try:
        medium = Medium(kind, place, device)
        medium.insert()
        try:
            yield medium
        finally:
            unmount(place)
    finally:
        subprocess.run(["losetup", "--detach", device], check=False)


def unmount(place: Path) -> None:
    """Unmount; the driver writes everything before it ends, and may be busy for a moment."""
    for _ in range(100):
        if not place.is_mount() or subprocess.run(["umount", str(place)], capture_output=True).returncode == 0:
            return
        time.sleep(0.05)
    subprocess.run(["umount", "--lazy", str(place)], check=False)
