"""Kills a process before its first call that changes files, then another before its second, and so on.

killing.py pack|protect|record|repair|media|mirror|small FOLDER [FROM]

Prints how many calls there were, and what was wrong after which of them.

Each attempt is a process of its own, ended by SIGKILL; the same work, done again in a process that nobody kills, must
end complete. `FROM` is the first call that is tried.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import transload
from transload.app.bundlerecord import record_in
from transload.bundle.reading.reader import BundleStore
from transload.layout import LayoutStore
from transload.testing.images import fill, image

_CALLS = frozenset({"fsync", "ftruncate", "mkdir", "open", "rename", "replace", "rmdir", "truncate", "unlink", "write"})


def killed_before(call: int, work: Callable[[], object]) -> bool:
    """Whether `work`, in a process of its own, was killed before its `call`-th call; if not, it had fewer."""
    process = os.fork()
    if process == 0:
        try:
            _kill_before(call)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    ended = os.waitpid(process, 0)[1]
    assert ended == 0 or os.WTERMSIG(ended) == signal.SIGKILL, f"call {call}: ended with {ended}"
    return ended != 0


def _kill_before(call: int) -> None:
    lock, left = threading.Lock(), [call]

    def profile(frame: FrameType, event: str, called: Any) -> None:
        if _changes_files(frame, event, called):
            with lock:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

    threading.setprofile(profile)
    sys.setprofile(profile)


def _changes_files(frame: FrameType, event: str, called: Any) -> bool:
    if event == "call":
        return frame.f_code.co_name == "syncfs"  # Python does not tell of the call below it, which `ctypes` makes
    if event != "c_call" or called.__name__ not in _CALLS:
        return False
    owner = getattr(called, "__self__", None)
    return called.__module__ in {"posix", "_io", "io"} or isinstance(owner, (io.FileIO, io.BufferedWriter))


def pack() -> None:
    transload.pack((), "out/b", origin="oci:source", volume_size="1MiB", jobs=1)


def protect() -> None:
    transload.pack((), "out/b", origin="oci:source", volume_count=2, recovery=2, jobs=1)


def record() -> None:
    transload.pack((), "out/b", origin="oci:source", volume_size="1MiB", jobs=1, record_in_bundle=True)


def media() -> None:
    transload.pack((), "out/b", origin="oci:source", volume_size="1MiB", to_media=True)


def damage() -> None:
    """A bundle that `protect` made, with one volume lost, one spoilt, and the recovery volumes mixed up."""
    protect()
    out = Path("out")
    (out / "b.001.tar").unlink()
    with (out / "b.002.tar").open("r+b") as file:
        file.write(bytes(5000))
    (out / "b.r01.tar").rename(out / "between")
    (out / "b.r02.tar").rename(out / "b.r01.tar")
    (out / "between").rename(out / "b.r02.tar")


def repair() -> None:
    transload.repair("out/b")


def mirror() -> None:
    transload.mirror((), origin="oci:source", to="oci:out/layout", jobs=1)


def small() -> None:
    """So many small blobs that they are stored in groups, each with one flush."""
    transload.mirror((), origin="oci:small", to="oci:out/layout", jobs=1)


def check_small(folder: Path) -> dict[str, bytes]:
    """The files, the names in any order; and nothing is left of a group that was not finished."""
    left = [path.name for path in folder.glob("layout/.transload/ingest/*")]
    assert not left, left
    found = files(folder)
    index = json.loads(found["layout/index.json"])
    index["manifests"].sort(key=json.dumps)
    return found | {"layout/index.json": json.dumps(index).encode()}


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, except what layouts keep of unfinished work."""
    found = (path for path in folder.rglob("*") if path.is_file() and ".transload" not in path.parts)
    content = {str(path.relative_to(folder)): path.read_bytes() for path in found}
    return {name: _sorted(raw) if name.endswith("SHA256SUMS") else raw for name, raw in content.items()}


def recorded(folder: Path) -> dict[str, bytes]:
    """The names of the files; the bundle must be whole and carry its record, which says when the first run began."""
    bundle = BundleStore(folder / "b")
    found = record_in(bundle)
    assert found is not None
    assert found.problem is None, found.problem
    wrong = [str(part.error) for part in bundle.check() if part.error is not None]
    assert not wrong, wrong
    return dict.fromkeys(files(folder), b"")


def _sorted(raw: bytes) -> bytes:
    """The lines in order: a repair adds its own last."""
    return b"".join(sorted(raw.splitlines(keepends=True)))


def main() -> None:
    works: dict[str, Callable[[], object]] = {
        "pack": pack,
        "protect": protect,
        "record": record,
        "repair": repair,
        "media": media,
        "mirror": mirror,
        "small": small,
    }
    work = works[sys.argv[1]]
    os.chdir(sys.argv[2])
    os.environ["TRANSLOAD_STATE_DIR"] = str(Path("state").absolute())
    os.environ["SOURCE_DATE_EPOCH"] = "1795780805"  # bundles of all rounds say the same time, so they can be compared
    store, out = LayoutStore("source", create=True), Path("out")
    fill(store, image("source", layers=(1_500_000, 20)), "a/b", "1")
    many = LayoutStore("small", create=True)
    for number in range(7):
        fill(many, image(f"small{number}", layers=(100, 30)), f"a/s{number}", "1")
    out.mkdir()
    if work is repair:
        damage()
        shutil.copytree(out, "before")
    work()  # in this process, so that the others need not load every module again
    seen = files
    if work is record:
        seen = recorded  # its time is in the bundle, so no two are the same
    elif work is small:
        seen = check_small
    wanted, wrong = seen(out), {}
    call = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    while True:
        shutil.rmtree(out)
        shutil.rmtree("state", ignore_errors=True)
        if work is repair:
            shutil.copytree("before", out)
        else:
            out.mkdir()
        if not killed_before(call, work):
            break
        assert not killed_before(0, work)
        left = seen(out)
        if left != wanted:
            wrong[call] = sorted(name for name in {*left, *wanted} if left.get(name) != wanted.get(name))
        call += 1
    print(json.dumps({"calls": call - 1, "wrong": wrong}))


if __name__ == "__main__":
    main()
