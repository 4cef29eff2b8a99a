"""Killed at any moment, run again: the same bytes, and nothing that was done is done again."""

import contextlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.bundle.packer import MADE
from tests.unit.bundle.packing import blobs_of, contents_of, joined, pack
from transload.bundle import BundleStore, lay_out
from transload.bundle.writing.journal import PackJournal
from transload.errors import BundleExists
from transload.oci import Digest

PACKER = Path(__file__).with_name("packer.py")
VOLUME = 700_001
SIZES = {digest: content.descriptor.size for digest, content in blobs_of(MADE).items()}


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return joined(pack(tmp_path_factory.mktemp("reference") / "b", MADE, VOLUME)[1])


def run_for(path: Path, lines: int | None, wait_s: float = 0) -> list[list[str]]:
    """Run the packer, and kill it some time after so many lines; every line it wrote, in words."""
    command = [sys.executable, str(PACKER), str(path), str(VOLUME)]
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE) as process:
        assert process.stdout
        said = []
        try:
            for line in process.stdout:
                said.append(line.split())
                if lines is not None and len(said) >= lines:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(wait_s)
                    break
        finally:
            process.kill()
            said += [line.split() for line in process.stdout]
    return [words for words in said if words]


@pytest.mark.parametrize("seed", range(3))
def test_killed_again_and_again(tmp_path: Path, reference: bytes, seed: int) -> None:
    moments = random.Random(seed)
    done: set[str] = set()
    for lines in (1, 4, 8, 14, None):
        said = run_for(tmp_path / "b", lines, moments.random() / 50)
        for words in said:
            if words[0] == "at":
                assert words[1] not in done or int(words[2]) == SIZES[words[1]]
            elif words[0] == "done":
                done.add(words[1])
        if said[-1] == ["finished"]:  # on a machine that is fast for once, before it could be killed
            break
        named, journal = list(tmp_path.glob("*.tar")), tmp_path / "b.partial.journal"
        # The kill may come when everything is proved and the volumes are just getting their names.
        assert not named or not journal.exists() or b"\nwhole\n" in journal.read_bytes()
    assert said[-1] == ["finished"]
    files = sorted(tmp_path.glob("b.*.tar"))
    assert joined(files) == reference
    assert {file.name for file in tmp_path.iterdir()} == {*(file.name for file in files), "SHA256SUMS"}
    assert all(each.error is None for each in BundleStore(tmp_path / "b").check())


def test_a_part_is_taken_up_by_the_next_process(tmp_path: Path) -> None:
    biggest = max(SIZES, key=lambda digest: SIZES[digest])
    found = 0
    for turn in range(60):  # the first or second is enough, unless the machine is busy
        run_for(tmp_path / f"b{turn}", 2, 0.002 * (turn % 12))
        again = run_for(tmp_path / f"b{turn}", None)
        offsets = {words[1]: int(words[2]) for words in again if words[0] == "at"}
        found += any(0 < offset < SIZES[digest] for digest, offset in offsets.items())
        assert again[-1] == ["finished"]
        if found:
            break
    assert found, f"no blob, not even {biggest}, was ever caught in the middle"


# --- the file of progress


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "b.partial.journal"


ONE, TWO, LEDGER = Digest.of(b"1"), Digest.of(b"2"), Digest.of(b"ledger")


def test_what_was_noted_is_known_again(path: Path) -> None:
    progress = PackJournal(path, LEDGER)
    assert not progress.known
    progress.note_part(ONE, 5)
    progress.note_part(ONE, 9)
    progress.note_done(TWO)
    progress.note_synced(progress.count)
    progress.note_done(ONE)
    progress.note_sum(3, "ab" * 32)
    progress.close()
    progress = PackJournal(path, LEDGER)
    assert (progress.known, progress.done, progress.synced, progress.whole) == (True, {ONE, TWO}, {TWO}, False)
    assert (progress.parts, progress.sums) == ({ONE: 9}, {3: "ab" * 32})
    progress.note_lost(ONE)
    progress.forget_sums()
    progress.note_whole()
    progress.close()
    progress = PackJournal(path, LEDGER)
    assert (progress.done, progress.parts, progress.sums, progress.whole) == ({TWO}, {ONE: 0}, {}, True)
    progress.delete()
    assert not path.exists()


@pytest.mark.parametrize("cut", range(1, 250, 7))
def test_a_line_that_was_cut_short_is_passed_over(path: Path, cut: int) -> None:
    progress = PackJournal(path, LEDGER)
    progress.note_done(ONE)
    progress.note_part(TWO, 12345)
    progress.close()
    path.write_bytes(path.read_bytes()[:cut])
    progress = PackJournal(path, LEDGER)
    assert progress.done <= {ONE}
    progress.note_done(TWO)
    progress.close()
    progress = PackJournal(path, LEDGER)
    assert TWO in progress.done
    progress.close()


def test_lines_that_say_nothing_known_are_passed_over(path: Path) -> None:
    first = f"bundle 1 {LEDGER}".encode()
    path.write_bytes(
        b"\n".join([first, b"\0" * 300, b"part x y", b"done", b"sum 1 2", b"\xff", f"done {ONE}".encode(), b""])
    )
    progress = PackJournal(path, LEDGER)
    assert (progress.done, progress.parts, progress.sums) == ({ONE}, {}, {})
    progress.close()


def test_progress_of_another_bundle_is_not_touched(path: Path) -> None:
    PackJournal(path, LEDGER).close()
    before = path.read_bytes()
    with pytest.raises(BundleExists):
        PackJournal(path, ONE)
    assert path.read_bytes() == before
    PackJournal(path, LEDGER).close()


def test_the_release_of_these_tests_spans_volumes() -> None:
    assert lay_out(contents_of(MADE), VOLUME).cut.count > 5
