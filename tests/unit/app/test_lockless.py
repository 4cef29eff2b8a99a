"""A file system without locks, such as some network mounts: here the locks of a child are taken away."""

import json
import subprocess
import sys
from pathlib import Path

from transload.layout import LayoutStore
from transload.testing.images import fill, image

WORK = """
import errno, fcntl, json, os, sys
def refuse(descriptor, operation):
    raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))
fcntl.flock = refuse
import transload
packed = transload.pack((), "b", origin="oci:source", volume_size="1MiB")
again = transload.pack((), "b", origin="oci:source", volume_size="1MiB")
mirrored = transload.mirror((), origin="oci:source", to="oci:copy")
pushed = transload.push("b", to="oci:pushed")
print(json.dumps([transload.verify(place, deep=True).good for place in ("bundle:b", "oci:copy", "oci:pushed")]))
"""


def test_everything_that_writes_works_there(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "source", create=True)
    for number in range(3):
        fill(store, image(f"image {number}", layers=(1_000_000, 20)), "a/b", str(number))
    done = subprocess.run([sys.executable, "-c", WORK], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [True, True, True]
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout
    assert sorted(LayoutStore(tmp_path / "copy").tags("a/b")) == ["0", "1", "2"]
