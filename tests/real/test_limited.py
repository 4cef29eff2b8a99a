"""A share without locks, rights, links and exact times, and with the names and sizes of FAT: a file-system shim.

Drivers of FAT in the kernel have locks, so this is no mounted image of FAT; tests/real/test_media.py has those.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.media import unmount
from tests.real.programs import program
from tests.real.test_media import Stick, source

_LARGEST = 2_000_000
_PACK = ("transload", "pack", "--from", "oci:source")


@pytest.fixture(scope="module")
def share(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stick]:
    folder = tmp_path_factory.mktemp("limited")
    source(folder)
    place = folder / "share"
    place.mkdir()
    (folder / "behind").mkdir()
    program("fusermount3")
    words = [
        sys.executable,
        str(Path(__file__).with_name("limited.py")),
        str(folder / "behind"),
        str(place),
        str(_LARGEST),
    ]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        while not place.is_mount():
            if process.poll() is not None:
                assert process.stderr
                pytest.skip(f"nothing can be mounted here: {process.stderr.read()}")
            time.sleep(0.02)
        yield Stick("limited", place)
        unmount(place)


def test_it_is_as_limited_as_it_says(share: Stick) -> None:
    lines = """
import errno, fcntl, os
os.chdir("share")
made = open("File", "w")
def refused(work):
    try:
        work()
    except OSError as error:
        return errno.errorcode[error.errno]
tried = [
    lambda: fcntl.flock(made, fcntl.LOCK_EX), lambda: fcntl.lockf(made, fcntl.LOCK_EX), lambda: os.chmod("File", 0o600),
    lambda: os.link("File", "second"), lambda: os.symlink("File", "second"), lambda: open("a:b", "w"),
    lambda: open("end.", "w"), lambda: open("x" * 256, "w"), lambda: os.truncate("File", 2_000_001),
]
print(*map(refused, tried), os.path.exists("FILE"), os.stat("File").st_mtime_ns % 2_000_000_000)
os.unlink("file")
"""
    told = share.good("python", lines).split()
    limits = ["ENOLCK", "ENOLCK", "EPERM", "EPERM", "EPERM", "EINVAL", "EINVAL", "ENAMETOOLONG", "EFBIG"]
    assert told == [*limits, "True", "0"]


def test_bundles_and_folders(share: Stick) -> None:
    packing = (*_PACK, "-o", "share/b", "--volume-size", "1MiB", "--verify-medium")
    share.good(*packing)
    assert "nothing to do" in share.good(*packing)
    share.good("transload", "verify", "share/b")
    share.good(*_PACK, "-o", "share/m", "--volume-size", "1MiB", "--to-media", "--verify-medium")
    share.good("sh", "-c", "cd share && sha256sum -c --quiet SHA256SUMS")
    assert not [entry for entry in share.names() if entry.startswith((".SHA", "b.partial", "m.partial"))]
    share.good("transload", "mirror", "--from", "oci:source", "--image", "a/many", "--to", "oci:share/folder")
    share.good("transload", "verify", "oci:share/folder", "--deep")
    share.good("transload", "clean", "oci:share/folder")


def test_what_it_does_not_take(share: Stick) -> None:
    code, told = share.run(*_PACK, "-o", "share/a:b")
    assert (code, "does not take the name a:b" in told) == (8, True), told
    code, told = share.run("transload", "mirror", "--from", "oci:source", "--to", "oci:share/large")
    assert (code, "FAT takes files below 4 GiB" in told) == (1, True), told
    code, told = share.run(*_PACK, "-o", "share/whole")
    assert (code, "choose smaller volumes, fat32 for disks formatted so" in told) == (8, True), told


def test_what_is_remembered_cannot_be_kept_there_and_nothing_fails(share: Stick) -> None:
    lines = """
import transload
from transload.server import ServeSettings, serve
with serve(transload.MemoryStore(), ServeSettings(writable=True)) as served:
    results = [transload.mirror((), origin="oci:source", to=served.host_port) for _ in range(2)]
print(*(result.moved_bytes for result in results))
"""
    first, second = share.good("python", lines).split()[-2:]
    assert (int(first) > 3_000_000, second) == (True, "0")
