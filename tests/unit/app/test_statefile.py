"""A file in the state folder: whatever is wrong with it is said, and harms nothing."""

import json
import os
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from transload.app.statefile import StateFile, StateUnusable
from transload.limits import STATE_FILE_BYTES

needs_rights = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


def file(folder: Path | None, version: int = 1) -> StateFile:
    return StateFile(folder, "s.json", "k", version)


def test_what_is_kept_is_read_and_nobody_else_may(tmp_path: Path) -> None:
    file(tmp_path / "new").change(lambda entries: [*entries, 1])
    file(tmp_path / "new").change(lambda entries: [*entries, 2])
    assert file(tmp_path / "new").read() == [1, 2]
    assert (tmp_path / "new/s.json").stat().st_mode & 0o777 == 0o600


def test_nothing_is_there_and_nothing_is_kept_without_a_folder(tmp_path: Path) -> None:
    assert file(tmp_path).read() == []
    assert file(tmp_path / "none").read() == []
    file(None).change(lambda entries: [*entries, 1])
    assert file(None).read() == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\0\xff garbage",
        b"[]",
        b'{"kind":"k"}',
        b'{"kind":"other","version":1,"entries":[]}',
        b'{"kind":"k","version":"1","entries":[]}',
        b'{"kind":"k","version":1,"entries":{}}',
        b'{"kind":"k","version":1,"entries":[' + b"[" * 5_000 + b"]" * 5_000 + b"]}",
        b'{"kind":"k","version":1,"entries":[' + b"0," * STATE_FILE_BYTES + b"0]}",
    ],
    ids=range(9),
)
def test_a_damaged_file_is_set_aside_and_begun_anew(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "s.json").write_bytes(raw)
    with pytest.raises(StateUnusable) as caught:
        file(tmp_path).read()
    assert caught.value.damaged
    file(tmp_path).change(lambda entries: [*entries, 1])
    assert file(tmp_path).read() == [1]
    assert (tmp_path / "s.json.damaged").read_bytes() == raw


def test_the_file_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file(tmp_path, 2).change(lambda _: ["new"])
    before = (tmp_path / "s.json").read_bytes()
    for use in (file(tmp_path).read, lambda: file(tmp_path).change(lambda entries: [*entries, 1])):
        with pytest.raises(StateUnusable, match="newer version"):
            use()
    assert (tmp_path / "s.json").read_bytes() == before


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(json.dumps({"kind": "k", "version": 1, "entries": ["theirs"]}))
    (tmp_path / "state").mkdir()
    (tmp_path / "state/s.json").symlink_to(elsewhere)
    for use in (file(tmp_path / "state").read, lambda: file(tmp_path / "state").change(lambda _: [1])):
        with pytest.raises(StateUnusable, match="link"):
            use()
    assert "theirs" in elsewhere.read_text()


def test_a_folder_or_a_pipe_in_its_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "s.json").mkdir()
    with pytest.raises(StateUnusable, match="cannot be read"):
        file(tmp_path).read()
    (tmp_path / "s.json").rmdir()
    os.mkfifo(tmp_path / "s.json")
    with pytest.raises(StateUnusable, match="cannot be read"):
        file(tmp_path).read()


@needs_rights
def test_a_file_without_permission_is_said(tmp_path: Path) -> None:
    file(tmp_path).change(lambda _: [1])
    (tmp_path / "s.json").chmod(0)
    with pytest.raises(StateUnusable, match="Permission denied"):
        file(tmp_path).read()


def test_a_state_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(StateUnusable, match="cannot be"):
        file(tmp_path / "state").change(lambda _: [1])


def _with(entry: Any, entries: list[Any]) -> list[Any]:
    return [*entries, entry]


def test_two_at_a_time_lose_nothing(tmp_path: Path) -> None:
    def work(number: int) -> None:
        for step in range(10):
            file(tmp_path).change(partial(_with, [number, step]))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(file(tmp_path).read()) == [[number, step] for number in range(4) for step in range(10)]
