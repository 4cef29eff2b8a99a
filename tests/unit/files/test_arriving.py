"""Files from elsewhere: their names are plain, and they get them all together or not at all."""

from __future__ import annotations

import doctest
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload.errors import LocalError
from transload.files import Arrivals, arriving


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_the_examples_of_names_hold() -> None:
    failed, tried = doctest.testmod(arriving)
    assert (failed, tried > 0) == (0, True)


@given(st.text(alphabet=st.sampled_from(list("aZ.~/\\:*? \0\n\u202e\ud800é")) | st.characters(), max_size=12))
def test_a_plain_name_is_one_file_in_the_folder_on_every_system(name: str) -> None:
    if arriving.is_plain_name(name):
        for kind in (PurePosixPath, PureWindowsPath):
            path = kind("folder") / name
            assert (path.name, path.parent) == (name, kind("folder"))
        assert name.encode().decode() == name


def test_all_files_get_their_names_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"old")
    with Arrivals(tmp_path) as arrivals:
        for name in ("a", "b"):
            with arrivals.file(name) as file:
                file.write(name.encode())
        assert "a" not in content(tmp_path)
        assert content(tmp_path)["b"] == b"old"
    assert content(tmp_path) == {"a": b"a", "b": b"b"}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_after_an_error_nothing_is_left(tmp_path: Path, error: type[BaseException]) -> None:
    def write() -> None:
        with Arrivals(tmp_path) as arrivals:
            with arrivals.file("a") as file:
                file.write(b"whole")
            with arrivals.file("b") as file:
                file.write(b"half")
                raise error

    with pytest.raises(error):
        write()
    assert content(tmp_path) == {}


def test_a_name_that_cannot_be_given_leaves_nothing_unfinished(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()

    def write() -> None:
        with Arrivals(tmp_path) as arrivals:
            for name in ("a", "b", "c"):
                with arrivals.file(name) as file:
                    file.write(b"content")

    with pytest.raises(LocalError):
        write()
    assert content(tmp_path) == {"a": b"content"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LocalError), Arrivals(tmp_path / "none") as arrivals, arrivals.file("a"):
        pass
