"""A Linux kernel that runs as a program (User Mode Linux), for the file systems whose drivers are in no other place.

It sees the files of this machine, and mounts images of disks with its own drivers: FAT, UDF, ISO 9660. Nothing that it
mounts is seen outside it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from tests.real.programs import program

_DRIVERS = {
    "vfat": ("fs/fat/fat.ko", "fs/fat/vfat.ko", "fs/nls/nls_cp437.ko", "fs/nls/nls_iso8859-1.ko"),
    "udf": ("drivers/cdrom/cdrom.ko", "lib/crc-itu-t.ko", "fs/udf/udf.ko"),
    "iso9660": ("fs/isofs/isofs.ko",),
}


class Guest:
    """The running kernel; its disks are `/dev/ubda`, `/dev/ubdb` and so on."""

    def __init__(self, asking: BinaryIO, answers: BinaryIO, console: Path) -> None:
        self._asking, self._answers, self._console = asking, answers, console
        self.release = self._answer()["ready"]

    def run(self, words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """Run a program there, `transload` and `python LINES` in a fork: what it ends with, and what it says."""
        asked = {"words": list(words), "folder": str(folder), "environment": dict(environment)}
        self._asking.write(json.dumps(asked).encode() + b"\n")
        answer = self._answer()
        return answer["code"], answer["told"]

    def mount(self, kind: str, disk: str, place: Path, options: str = "rw") -> None:
        """Mount a disk there."""
        words = ("mount", "-t", kind, "-o", options, disk, str(place))
        code, told = self.run(words, place.parent, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert code == 0, told

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise EOFError(f"the kernel has ended: {self._console.read_text('utf-8', 'replace')[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def booted(folder: Path, *disks: Path, kinds: Sequence[str] = ("vfat", "udf", "iso9660")) -> Iterator[Guest]:
    """A kernel with these images of disks for a block. Its files go to `folder`.

    Skips the test where there is none, or where it does not start: it traces its processes, which may be forbidden.
    """
    path, console = program("linux.uml"), folder / "console"
    (modules,) = Path("/usr/lib/uml/modules").glob("*/kernel")
    to_guest, from_guest = os.pipe(), os.pipe()
    words = [
        *(path, "mem=384M", "rootfstype=hostfs", "rootflags=/", "rw", "quiet", f"uml_dir={folder}/", "umid=uml"),
        *(f"ubd{number}={disk}" for number, disk in enumerate(disks)),
        *("con=null", "con0=null,fd:1", f"ssl0=fd:{to_guest[0]},fd:{from_guest[1]}", f"init={sys.executable}"),
        *("--", "-P", "-u", str(Path(__file__).with_name("guest.py")), "/dev/ttyS0"),
        ",".join(str(modules / name) for kind in kinds for name in _DRIVERS[kind]),
    ]
    with console.open("wb") as said:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=(to_guest[0], from_guest[1]),
            start_new_session=True,
            env={"PATH": os.defpath},
        )
    for number in (to_guest[0], from_guest[1]):
        os.close(number)
    with os.fdopen(to_guest[1], "wb", buffering=0) as asking, os.fdopen(from_guest[0], "rb") as answers:
        try:
            yield _first(asking, answers, console)
        finally:
            with contextlib.suppress(OSError):
                asking.write(b"\n")  # it writes what is left, and ends
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(60)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _first(asking: BinaryIO, answers: BinaryIO, console: Path) -> Guest:
    try:
        return Guest(asking, answers, console)
    except EOFError as error:
        if "init" in str(error):  # it has started, and what we run in it has failed
            raise
        pytest.skip(f"no kernel can run as a program here: {error}")
