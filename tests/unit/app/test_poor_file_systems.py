"""File systems that lack what others have: locks, rights, links, exact times. Here a child process has none of it."""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from transload.layout import LayoutStore
from transload.testing.images import fill, image

# What the system refuses here, the drivers of FAT, exFAT and of some network mounts refuse, too.
WORK = """
import errno, fcntl, json, os
def refuse(number):
    def refusing(*args, **more):
        raise OSError(number, os.strerror(number))
    return refusing
fcntl.flock = refuse(errno.EOPNOTSUPP)
for name in ("chmod", "fchmod", "lchmod", "chown", "fchown", "lchown"):
    if hasattr(os, name):
        setattr(os, name, refuse(errno.EPERM))
for name in ("link", "symlink", "mkfifo", "mknod", "setxattr", "posix_fallocate", "copy_file_range"):
    if hasattr(os, name):
        setattr(os, name, refuse(errno.EOPNOTSUPP))
for name in ("stat", "lstat", "fstat"):
    def rounded(*args, asked=getattr(os, name), **more):
        status = asked(*args, **more)
        seconds = {kind: int(getattr(status, f"st_{kind}time")) // 2 * 2 for kind in "amc"}
        exact = {f"st_{kind}time_ns": second * 10**9 for kind, second in seconds.items()}
        exact |= {f"st_{kind}time": float(second) for kind, second in seconds.items()}
        return os.stat_result([*status[:7], *seconds.values()], exact)
    setattr(os, name, rounded)
import transload
how = {"origin": "oci:source", "volume_size": "1MiB"}
transload.pack((), "b", **how, with_tool="tool", recovery=1, verify_medium=True)
transload.pack((), "b", **how, recovery=1)
transload.pack((), "m", **how, to_media=True)
mirrored = transload.mirror((), origin="oci:source", to="oci:copy", verify_medium=True)
pushed = transload.push("b", to="oci:pushed")
places = ("bundle:b", "bundle:m", "oci:copy", "oci:pushed")
print(json.dumps([transload.verify(place, deep=True).good for place in places]))
"""


def test_everything_that_writes_works_there(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "source", create=True)
    for number in range(3):
        fill(store, image(f"image {number}", layers=(1_000_000, 20)), "a/b", str(number))
    (tmp_path / "tool").write_bytes(b"a program")
    environment = {"PATH": "/usr/bin:/bin", "TRANSLOAD_STATE_DIR": str(tmp_path / "state")}
    done = subprocess.run(
        [sys.executable, "-c", WORK], cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True, True, True]
    subprocess.run(["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"], cwd=tmp_path, check=True)
    assert sorted(LayoutStore(tmp_path / "copy").tags("a/b")) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mirror", "--to", "oci:copy"), "FAT takes files below 4 GiB"),
        (("pack", "-o", "b"), "choose smaller volumes, fat32 for disks formatted so"),
        (("pack", "-o", "b", "--to-media"), "choose smaller volumes, fat32 for disks formatted so"),
    ],
)
def test_a_file_that_is_too_large_is_told_by_the_system(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    """The limit of the process stands for that of a file system: the system answers both with EFBIG."""
    fill(LayoutStore(tmp_path / "source", create=True), image("large", layers=(3_000_000,)), "a/b", "1")
    done = subprocess.run(
        [sys.executable, "-m", "transload", words[0], "--from", "oci:source", *words[1:], "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TRANSLOAD_STATE_DIR": str(tmp_path / "state")},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000)),
    )
    assert done.returncode in {1, 8}, done.stderr
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
