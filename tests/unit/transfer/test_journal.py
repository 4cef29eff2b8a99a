"""The journal is a hint that survives: every crash, every damage, every reader."""

import json
import stat
import threading
from pathlib import Path

import pytest

from tests.unit.planning.scene import Scene, copied
from tests.unit.transfer.recorder import FakeClock
from transload.errors import LocalError, ReadOnly, Refused, RepositoryUnknown
from transload.oci import Digest
from transload.testing import faults
from transload.testing.images import image
from transload.testing.layers import layer
from transload.threads import TaskGroup
from transload.transfer import Journal

DIGEST = Digest.of(b"blob")
OTHER = Digest.of(b"other")


def test_what_was_noted_is_known_to_the_next(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal"
    Journal(path).note("app", DIGEST)
    Journal(path).note("app", OTHER)
    later = Journal(path)
    assert later.knows("app", DIGEST)
    assert later.knows("app", OTHER)
    assert not later.knows("other", DIGEST)


def test_without_a_path_nothing_is_kept() -> None:
    journal = Journal()
    journal.note("app", DIGEST)
    journal.clear()
    assert not journal.knows("app", DIGEST)


def test_cleared_is_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).note("app", DIGEST)
    Journal(path).clear()
    Journal(path).clear()
    assert not Journal(path).knows("app", DIGEST)
    assert not path.exists()


@pytest.mark.parametrize("end", range(0, 90, 7))
def test_a_line_cut_short_costs_only_itself(tmp_path: Path, end: int) -> None:
    path = tmp_path / "journal"
    Journal(path).note("app", DIGEST)
    whole = path.stat().st_size
    Journal(path).note("app", OTHER)
    path.write_bytes(path.read_bytes()[: whole + min(end, whole - 2)])
    later = Journal(path)
    assert later.knows("app", DIGEST)
    assert not later.knows("app", OTHER)


def test_a_line_after_one_cut_short_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).note("app", DIGEST)
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(path)
    journal.note("app", OTHER)
    journal.note("app", DIGEST)
    assert Journal(path).knows("app", OTHER)
    assert Journal(path).knows("app", DIGEST)


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\n", b"[]\n", b"{}\n", b'["app"]\n', b'["app","sha256:x"]\n', b"7\n", b"[1,2]\n"]
)
def test_lines_of_somebody_else_are_ignored(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "journal"
    Journal(path).note("app", DIGEST)
    path.write_bytes(junk + path.read_bytes() + junk)
    assert Journal(path).knows("app", DIGEST)


def test_many_threads_note_at_once(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal, start = Journal(path), threading.Barrier(8)

    def note(number: int) -> None:
        start.wait(60)
        for each in range(20):
            journal.note(f"app{number}", Digest.of(bytes([each])))

    with TaskGroup() as group:
        for number in range(8):
            group.start(note, number)
    later = Journal(path)
    assert all(later.knows(f"app{number}", Digest.of(bytes([each]))) for number in range(8) for each in range(20))


def test_a_journal_that_cannot_be_read_is_a_hint_less(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert not journal.knows("a", Digest.of(b""))
    with pytest.raises(LocalError):
        journal.note("a", Digest.of(b""))


def test_a_run_notes_what_arrived_and_the_next_plan_believes_it_after_a_look(tmp_path: Path) -> None:
    """A registry does not list a repository that has blobs and no manifest yet."""
    scene = Scene()
    built = scene.publish(image("a", (100, 200)), "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.fails("put_manifest", lambda: ReadOnly("not now")), at="target")
    scene.run(plan, journal=Journal(tmp_path / "journal"))
    scene.script(faults.fails("tags", lambda: RepositoryUnknown("no manifests yet"), times=2), at="target")
    assert copied(scene.plan("a:1")) == set(built.blobs)
    assert copied(scene.plan("a:1", known=Journal(tmp_path / "journal").knows)) == set()


def test_a_journal_that_cannot_be_written_does_not_fail_what_arrived(tmp_path: Path) -> None:
    scene = Scene()
    scene.publish(image("a"), "a:1")
    plan = scene.plan("a:1")
    journal = Journal(tmp_path / "file" / "journal")
    (tmp_path / "file").write_text("in the way")
    assert scene.run(plan, journal=journal).images[0].error is None


def test_a_blob_is_noted_before_the_request_that_makes_the_target_store_it(tmp_path: Path) -> None:
    """The target may finish it although this process ends there, so that the next plan must ask."""
    scene = Scene()
    built = scene.publish(image("a", (100, 200)), "a:1")
    plan = scene.plan("a:1")
    stopped = faults.fails("commit", lambda: Refused("this process ends here"), times=99)
    scene.script(stopped, at="target")
    scene.run(plan, journal=Journal(tmp_path / "journal"))
    later = Journal(tmp_path / "journal")
    assert all(later.knows("a", blob) for blob in built.blobs)


def test_a_blob_of_which_bytes_are_missing_is_not_noted(tmp_path: Path) -> None:
    scene = Scene()
    scene.publish(image("a", (faulty := layer("faulty", 300_000),)), "a:1")
    plan = scene.plan("a:1")
    scene.script(faults.truncates(0, subject=faulty.descriptor.digest, times=99))
    scene.run(plan, journal=Journal(tmp_path / "journal"), clock=FakeClock(), attempts=2)
    assert not Journal(tmp_path / "journal").knows("a", faulty.descriptor.digest)


def test_what_an_earlier_run_noted_is_not_written_twice(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    Journal(path).note("app", DIGEST)
    before = path.read_bytes()
    journal = Journal(path)
    journal.note("app", DIGEST)
    assert path.read_bytes() == before


ADDRESS = "https://registry.example/v2/app/blobs/uploads/1?_state=x"


def test_where_an_upload_goes_on_is_known_to_the_next_run_until_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path)
    with first.held():
        first.note_address("app", DIGEST, ADDRESS)
        first.note_address("app", OTHER, "https://registry.example/v2/app/blobs/uploads/2")
        first.note_address("app", OTHER, None)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    later = Journal(path)
    assert later.has_uploads
    assert later.address("app", DIGEST) is None  # not held
    with later.held():
        (upload,) = later.uploads()
        assert (upload.repository, upload.digest, upload.address) == ("app", DIGEST, ADDRESS)
        assert later.address("app", DIGEST) == ADDRESS
        assert later.address("app", OTHER) is None


def test_only_one_run_goes_on_with_uploads(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first, second = Journal(path), Journal(path)
    with first.held():
        first.note_address("app", DIGEST, ADDRESS)
        with second.held():
            assert second.address("app", DIGEST) is None
            second.note("app", OTHER)
            second.clear()
        assert Journal(path).knows("app", OTHER)
    with second.held():
        assert second.address("app", DIGEST) == ADDRESS
        second.note_address("app", DIGEST, None)
    second.clear()
    assert not path.exists()


def test_uploads_of_other_images_stay_noted_when_a_run_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal = Journal(path)
    with journal.held():
        journal.note_address("app", DIGEST, ADDRESS)
        journal.note("app", OTHER)
        (noted,) = journal.uploads()
    journal.clear()
    later = Journal(path)
    assert not later.knows("app", OTHER)
    with later.held():
        assert later.uploads() == (noted,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_uploads_that_an_older_version_noted_have_no_time(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_text(json.dumps(["app", DIGEST, ADDRESS]) + "\n")
    journal = Journal(path)
    with journal.held():
        assert [(upload.address, upload.noted_s) for upload in journal.uploads()] == [(ADDRESS, 0)]


@pytest.mark.parametrize(
    "line",
    [
        ["app", DIGEST, ADDRESS, "more"],
        ["app", DIGEST, ADDRESS, 1, 2],
        ["app", DIGEST, ADDRESS, True],
        ["app", DIGEST, 7],
        ["app", DIGEST, ["x"]],
        ["app", DIGEST, "x" * 5000],
        ["../app", DIGEST, ADDRESS],
        ["app", "sha256:x", ADDRESS],
    ],
)
def test_addresses_of_somebody_else_are_ignored(tmp_path: Path, line: list[object]) -> None:
    path = tmp_path / "journal"
    path.write_text(f"{json.dumps(line)}\n{json.dumps(['app', OTHER])}\n")
    path.chmod(0o644)
    journal = Journal(path)
    with journal.held():
        assert journal.uploads() == ()
    assert journal.knows("app", OTHER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_address_beyond_reason_is_not_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    with journal.held():
        journal.note_address("app", DIGEST, ADDRESS)
        journal.note_address("app", DIGEST, ADDRESS + "x" * 5000)
        assert journal.address("app", DIGEST) is None


def test_where_nothing_can_be_written_uploads_go_on_without_notes(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    journal = Journal(tmp_path / "file" / "journal")
    with journal.held():
        journal.note_address("app", DIGEST, ADDRESS)
        assert journal.uploads() == ()


def test_a_version_that_knows_only_blobs_reads_past_uploads(tmp_path: Path) -> None:
    """It took every line for a pair, and ignored what is none."""
    journal = Journal(tmp_path / "journal")
    journal.note_address("app", DIGEST, ADDRESS)
    journal.note("app", OTHER)
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines() if line]
    assert [len(line) for line in lines] == [4, 2]
