"""The files that a user gives to be rewritten."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from transload.app import inputfiles
from transload.app.inputfiles import input_files
from transload.errors import FolderUnsafe, LimitExceeded


def test_a_link_in_a_folder_is_read_if_it_stays_there(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.yaml").write_text("a: 1")
    (tmp_path / "b.yaml").symlink_to("data/a.yaml")
    assert [file.name for file in input_files([tmp_path])] == [PurePosixPath("b.yaml"), PurePosixPath("data/a.yaml")]


@pytest.mark.parametrize("target", ["../secret.yaml", "../other/secret.yaml"])
def test_a_link_out_of_a_folder_is_refused_and_its_content_goes_nowhere(tmp_path: Path, target: str) -> None:
    folder = tmp_path / "folder"
    (tmp_path / "other").mkdir()
    folder.mkdir()
    (folder / target).write_text("password: secret")
    (folder / "a.yaml").symlink_to(target)
    with pytest.raises(FolderUnsafe, match="is a link out of the folder"):
        input_files([folder])
    (folder / "a.yaml").unlink()
    named = folder / "named.txt"
    named.symlink_to(target)
    assert input_files([named])[0].content == b"password: secret"  # who names a file means what it leads to


def test_files_that_are_too_much_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputfiles, "INPUT_FILES_BYTES", 5)
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text("a: 1")
    with pytest.raises(LimitExceeded, match="the files to rewrite have more than"):
        input_files([tmp_path])
