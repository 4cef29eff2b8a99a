"""`clean` removes what ended runs left, and nothing else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

import transload
from transload import Environment
from transload.cli.main import main
from transload.errors import LocalError, UsageError
from transload.files import Folder, replace_file
from transload.layout import LayoutStore
from transload.locks import claimed
from transload.testing.images import fill, image

HALF = f"sha256-{'a' * 64}"
DAYS_S = 3 * 86_400


def left(path: Path, content: bytes = b"left", age_s: float = DAYS_S) -> Path:
    """A file to which nobody has written for some time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    then_s = time.time() - age_s
    os.utime(path, (then_s, then_s))
    return path


def cleaned(*stores: str, **options: object) -> list[str]:
    environment = Environment(state=Path("state"))
    return [str(leftover.path) for leftover in transload.clean(stores, environment=environment, **options)]  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", "state")
    return tmp_path


def test_the_state_folder() -> None:
    names = ("journal/0123.jsonl", ".plans.json.123.01abcdef")
    gone = [left(Path("state") / name) for name in names]
    gone.append(left(Path("state/media/0123.media"), age_s=31 * 86_400))
    kept = [
        left(Path("state/plans.json")),
        left(Path("state/known-registries.sqlite3")),
        left(Path("state/.plans.json")),
    ]
    kept.append(left(Path("state/journal/4567.jsonl"), age_s=60))
    kept.append(left(Path("state/media/4567.media"), age_s=29 * 86_400))  # somebody burns a disc each week
    assert sorted(cleaned(dry_run=True)) == sorted(map(str, gone))
    assert all(path.exists() for path in gone)
    assert sorted(cleaned()) == sorted(map(str, gone))
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert cleaned() == []


def test_a_folder_keeps_its_images() -> None:
    store = LayoutStore(Path("mirror"), create=True)
    built = image("one")
    name = fill(store, built, "app", "1")
    ingest = Path("mirror/.transload/ingest")
    gone = [
        left(ingest / HALF),
        left(ingest / f"{HALF}.0123456789abcdef.second"),
        left(Path("mirror/.index.json.1.01234567")),
    ]
    gone.append(left(ingest / "upload.3f.second"))
    assert sorted(cleaned("oci:mirror")) == sorted(map(str, gone))
    assert LayoutStore(Path("mirror")).fetch(name).raw == built.manifest.raw
    assert not any(path.exists() for path in gone)


def test_a_bundle_that_was_not_finished_goes_and_others_stay() -> None:
    gone = [left(Path("b.001.tar.partial")), left(Path("b.002.tar.partial")), left(Path("b.partial.journal"))]
    kept = [left(Path("b.001.tar")), left(Path("other.001.tar.partial")), left(Path("other.partial.journal"))]
    kept.append(left(Path("SHA256SUMS")))
    for word in ("bundle:b", "bundle:b.tar"):
        assert sorted(path.rpartition("/")[2] for path in cleaned(word, dry_run=True)) == sorted(map(str, gone))
    cleaned("bundle:b")
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)


def test_what_a_process_holds_stays() -> None:
    LayoutStore(Path("mirror"), create=True)
    ingest = Path("mirror/.transload/ingest")
    half, volume = left(ingest / HALF), left(Path("b.001.tar.partial"))
    left(Path("b.partial.journal"))
    with claimed(Folder(ingest), f"{HALF}.lock"), Folder(Path()).locked("b.partial.journal"):
        assert cleaned("oci:mirror", "bundle:b", older_than_s=0) == []
    assert half.exists()
    assert volume.exists()
    assert len(cleaned("oci:mirror", "bundle:b", older_than_s=0)) == 3


def test_links_and_folders_stay(desk: Path) -> None:
    secret = left(desk / "secret")
    LayoutStore(Path("mirror"), create=True)
    ingest = Path("mirror/.transload/ingest")
    ingest.mkdir(parents=True, exist_ok=True)
    (ingest / HALF).symlink_to(secret)
    (ingest / "folder").mkdir()
    assert cleaned("oci:mirror", older_than_s=0) == []
    assert secret.read_bytes() == b"left"


def test_a_linked_folder_is_not_cleaned(desk: Path) -> None:
    LayoutStore(Path("mirror"), create=True)
    elsewhere = left(desk / "elsewhere" / HALF).parent
    ingest = Path("mirror/.transload/ingest")
    if ingest.exists():
        ingest.rmdir()
    ingest.parent.mkdir(exist_ok=True)
    ingest.symlink_to(elsewhere)
    with pytest.raises(transload.FolderUnsafe):
        cleaned("oci:mirror")
    assert (elsewhere / HALF).exists()


@pytest.mark.parametrize(
    ("store", "kind"),
    [
        ("registry.local/x", UsageError),
        ("archive:x.tar", UsageError),
        ("none", UsageError),
        ("none.tar", UsageError),
        ("oci:none", LocalError),
        ("bundle:none/b", LocalError),
    ],
)
def test_what_cannot_be_cleaned(store: str, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        cleaned(store)


def test_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = left(Path("state/journal/0123.jsonl"), b"x" * 2048)
    assert main(["clean", "--dry-run"]) == 0
    assert "notes of a run that was not finished, 2.0 KiB, 3 d old" in capsys.readouterr().out
    assert path.exists()
    assert main(["clean", "--older-than", "7d"]) == 0
    assert capsys.readouterr().out == "nothing to clean\n"
    assert main(["clean", "--older-than", "12 hours", "-q"]) == 0
    assert capsys.readouterr().out == "removed: 1 file, 2.0 KiB\n"
    assert not path.exists()
    assert main(["clean", "--older-than", "soon"]) == 2


def test_a_file_that_is_replaced_loses_what_killed_processes_left_beside_it() -> None:
    old, fresh = left(Path("out/.report.json.77.0123abcd")), left(Path("out/.report.json.78.0123abcd"), age_s=60)
    other = left(Path("out/.report.jsonx.77.0123abcd"))
    replace_file(Path("out/report.json"), b"{}")
    assert not old.exists()
    assert fresh.exists()
    assert other.exists()


@pytest.mark.parametrize("age", ["1month", "2mo", "3 min.", "7", "1y", "-1d", " ", "7dogs"])
def test_an_age_is_not_guessed(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = left(Path("state/journal/0123.jsonl"), b"x")
    assert main(["clean", "--older-than", age]) == 2
    assert "is not a length of time" in capsys.readouterr().err
    assert path.exists()


@pytest.mark.parametrize("age", ["4d", "4 days", "96h", "96 hours", "5760m", "5760min", "5760 minutes"])
def test_ages(age: str, capsys: pytest.CaptureFixture[str]) -> None:
    left(Path("state/journal/0123.jsonl"), b"x")
    assert main(["clean", "--older-than", age]) == 0
    assert capsys.readouterr().out == "nothing to clean\n"


@pytest.mark.parametrize(("age", "kind"), [(-1, UsageError), (float("nan"), UsageError), ("1d", TypeError)])
def test_an_age_that_a_program_gets_wrong(age: Any, kind: type[Exception]) -> None:
    path = left(Path("state/journal/0123.jsonl"), b"x")
    with pytest.raises(kind, match="older_than_s must be"):
        transload.clean(older_than_s=age)
    assert path.exists()
