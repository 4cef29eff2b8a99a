"""Folders from elsewhere: nothing outside is made, written, renamed or deleted, whatever lies in them."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from transload.errors import Busy, LocalError, LocksMissing, Refused
from transload.files import Folder, folder, open_file, read_file, replace_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs links of POSIX")


@pytest.fixture(autouse=True, params=["handles", "paths"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With handles of folders, and without them, as on Windows."""
    monkeypatch.setattr(folder, "_HANDLES", request.param == "handles")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_bytes(b"untouched")
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("mode", ["r", "r+", "a+", "x+"])
@pytest.mark.parametrize("there", [True, False])
def test_a_link_is_not_opened_and_nothing_made_behind_it(root: Path, outside: Path, mode: str, there: bool) -> None:
    (root / "name").symlink_to(outside / ("file" if there else "new"))
    with pytest.raises(Refused, match="link"):
        Folder(root).open("name", mode)
    assert [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("file", b"untouched")]


def test_a_new_file_is_never_one_that_is_there(root: Path) -> None:
    with Folder(root).open("new", "x+", 0o600) as file:
        file.write(b"first")
    assert (root / "new").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        Folder(root).open("new", "x+")
    assert (root / "new").read_bytes() == b"first"


def _make(folder: Folder) -> None:
    folder.inner("more").make()


@pytest.mark.parametrize(
    "act",
    [
        lambda folder: folder.open("new", "a+"),
        lambda folder: folder.unlink("file"),
        lambda folder: folder.move("file", folder, "other"),
        lambda folder: folder.status("file"),
        lambda folder: folder.entries(),
        lambda folder: folder.flush(),
        lambda folder: folder.locked("lock").__enter__(),
        lambda folder: folder.make(),
        _make,
    ],
)
@pytest.mark.parametrize("depth", [1, 2])
def test_a_folder_that_is_a_link_is_not_entered(
    root: Path, outside: Path, act: Callable[[Folder], object], depth: int
) -> None:
    names = ("a", "b")[:depth]
    Folder(root, names[:-1]).make()
    root.joinpath(*names).symlink_to(outside)
    with pytest.raises(Refused, match="link"):
        act(Folder(root, names))
    assert [(path.name, path.read_bytes()) for path in outside.iterdir()] == [("file", b"untouched")]


def test_the_top_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root)
    folder = Folder(tmp_path / "link").inner("a", "b")
    folder.make()
    folder.make()
    with folder.open("name", "a+") as file:
        file.write(b"content")
    folder.move("name", Folder(tmp_path / "link"), "moved")
    folder.flush()
    assert folder.entries() == []
    assert (root / "moved").read_bytes() == b"content"


@pytest.mark.parametrize("mode", ["r+", "a+"])
def test_a_second_name_is_not_written_to(root: Path, outside: Path, mode: str) -> None:
    (root / "name").hardlink_to(outside / "file")
    with pytest.raises(Refused, match="second name"):
        Folder(root).open("name", mode)
    with Folder(root).open("name", "r") as file:
        assert file.read() == b"untouched"


@pytest.mark.parametrize("mode", ["r", "r+", "a+"])
@pytest.mark.parametrize("kind", ["pipe", "folder", "socket"])
def test_what_is_no_file_is_refused_at_once(root: Path, kind: str, mode: str) -> None:
    import socket

    if kind == "pipe":
        os.mkfifo(root / "name")
    elif kind == "folder":
        (root / "name").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "socket":
            listener.bind(str(root / "name"))
        with pytest.raises(LocalError, match=f"is a {kind}, not a file"):
            Folder(root).open("name", mode)
        with pytest.raises(LocalError, match=f"is a {kind}, not a file"):
            open_file(root / "name")
        with pytest.raises(LocalError, match=f"is a {kind}, not a file"):
            replace_file(root / "name", b"")


def test_a_device_is_neither_read_nor_replaced(root: Path) -> None:
    (root / "link").symlink_to("/dev/zero")
    for path in (Path("/dev/zero"), root / "link"):
        with pytest.raises(LocalError, match="is a device"):
            read_file(path, 1)
        with pytest.raises(LocalError, match="is a device"):
            replace_file(path, b"")
    assert [path.name for path in root.iterdir()] == ["link"]


def test_what_the_shell_hands_over_is_read(root: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"secret")
    os.close(writing)
    assert read_file(Path(f"/dev/fd/{reading}"), 100) == b"secret"
    os.close(reading)


def test_no_more_is_read_than_asked_for(root: Path) -> None:
    (root / "file").write_bytes(bytes(3_000_000))
    assert len(read_file(root / "file", 2_500_000)) == 2_500_000
    assert len(read_file(root / "file", 1 << 40)) == 3_000_000


def test_replacing_leaves_what_a_link_leads_to(root: Path, outside: Path) -> None:
    (root / "name").symlink_to(outside / "file")
    replace_file(root / "name", b"new")
    assert ((root / "name").read_bytes(), (outside / "file").read_bytes()) == (b"new", b"untouched")
    replace_file(root / ("n" * 255), b"the longest name")
    assert len(list(root.iterdir())) == 2


def test_a_lock_is_held_once(root: Path) -> None:
    with Folder(root).locked("lock"), pytest.raises(Busy), Folder(root).locked("lock"):
        pass


def test_a_file_system_without_locks_is_told_as_ours(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    with (
        pytest.raises(LocksMissing, match=r"locking .*/root/lock: this file system has no locks"),
        Folder(root).locked("lock"),
    ):
        pass
