"""Disks without room and without the right to write: an ordinary error of this machine, from every command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = "tests.real.full_disk"
WRITING = ["mirror", "mirror-new", "pack", "plan", "inventory", "report", "extract", "to-media", "media-state"]
WRITING += ["pack-record", "record", "receipt"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `full_disk.py` saw; in a mount namespace of its own, which takes no rights and leaves nothing."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    folder = tmp_path_factory.mktemp("disks")
    words = [*alone, sys.executable, "-m", SCRIPT, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("command", WRITING)
def test_a_disk_without_a_free_block(told: Any, command: str) -> None:
    code, said = told["full"][command]
    assert code == 8, said
    assert "no space left" in said or "has 0 B free" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("command", ["mirror", "mirror-new", "pack"])
def test_too_small_a_disk_is_refused_before_anything_is_fetched(told: Any, command: str) -> None:
    code, said = told["small"][command]
    assert code == 8
    assert "more (" in said
    assert "make room for" in said


def test_nothing_half_done_is_left_on_a_small_disk(told: Any) -> None:
    written = ["inventory.json", "licence.txt", "media", "plan.json", "receipt.json", "record.json", "report.json"]
    assert told["small-left"] == [*written, "state"]  # the empty folder in which runs are noted


def test_a_full_disk_is_told_to_who_pushes(told: Any) -> None:
    for status, said in told["pushed"]:
        assert (status, json.loads(said)["errors"][0]["message"]) == (507, "the disk of this registry is full")


def test_a_full_disk_spoils_no_other_target(told: Any) -> None:
    code, said = told["several"]["target"]
    assert (code, "Traceback" in said) == (8, False), said
    code, said = told["several"]["state"]
    assert (code, "Traceback" in said) == (0, False), said
    assert told["beside"] == ["1", "1"]


@pytest.mark.parametrize("command", WRITING)
def test_a_disk_that_is_read_only(told: Any, command: str) -> None:
    code, said = told["read-only"][command]
    assert (code, "Traceback" in said) == ((0, False) if command == "mirror" else (8, False)), said


def test_once_there_is_room_the_same_command_works_and_what_is_unchanged_needs_none(told: Any) -> None:
    assert told["room"][0] == 0, told["room"][1]
    assert told["unchanged"][0] == 0, told["unchanged"][1]


@pytest.mark.parametrize("disk", ["small", "full", "read-only"])
def test_what_is_remembered_between_runs_is_not_worth_failing_one(told: Any, disk: str) -> None:
    assert told[disk]["state"][0] == 0, told[disk]["state"][1]


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_what_is_learnt_is_not_kept_there_and_nothing_fails(told: Any, disk: str) -> None:
    assert told[f"{disk}-known"] == {}


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_a_check_says_so_before_a_run(told: Any, disk: str) -> None:
    code, said = told[f"{disk}-check"]
    assert (code, "problem" in said, "Traceback" in said) == (8, True, False), said


@pytest.mark.parametrize(("disk", "why"), [("full", "is on a full disk"), ("read-only", "cannot be written to")])
def test_where_runs_cannot_be_noted_status_says_so(told: Any, disk: str, why: str) -> None:
    code, said = told[f"{disk}-status"]
    assert (code, f"disk {why}, so runs are not noted" in said) == (1, True), said
