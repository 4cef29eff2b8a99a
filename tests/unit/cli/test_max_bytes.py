"""`--max-bytes` below the size of an image: each run gets on, or it says before it moves anything why none can."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

LAYERS = (70_000, 70_001, 70_002, 70_003)
MADE = image("app", layers=LAYERS)
LARGEST = max(content.descriptor.size for content in MADE.contents)
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def held() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], held: MemoryStore
) -> Iterator[Run]:
    """Mirrors an image of four layers into a registry, each run with a new state folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    published = MemoryStore()
    fill(published, MADE, "acme/app", "1")
    with serve(published) as source, serve(held, settings=ServeSettings(writable=True)) as target:

        def call(*more: str) -> tuple[int, str]:
            capsys.readouterr()
            shutil.rmtree(tmp_path / "transload_state_dir", ignore_errors=True)
            code = main(["mirror", "--from", source.host_port, "--to", target.host_port, *more])
            return code, "".join(capsys.readouterr())

        yield call


def test_runs_that_lose_their_state_folder_get_on(run: Run, held: MemoryStore) -> None:
    codes = [run("--max-bytes", "100000")[0] for _ in LAYERS]
    assert codes == [10, 10, 10, 0]
    assert held.fetch(Name("acme/app", "1")).raw == MADE.manifest.raw


def test_without_a_state_folder_a_blob_that_can_never_arrive_ends_the_run_at_once(
    run: Run, held: MemoryStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "file" / "state"))  # no folder can be there
    code, said = run("--max-bytes", "50000")
    text = " ".join(said.split())
    assert code == 2
    assert "a blob of acme/app has 70 KiB, more than one run may move (--max-bytes)" in text
    assert f"allow at least so much: --max-bytes {LARGEST}, or set TRANSLOAD_STATE_DIR" in text
    assert not any(held.exists("acme/app", content.descriptor) for content in MADE.contents)
    codes = [run("--max-bytes", str(LARGEST))[0] for _ in MADE.contents]
    assert codes == [10, 10, 10, 10, 0]
    assert held.fetch(Name("acme/app", "1")).raw == MADE.manifest.raw
