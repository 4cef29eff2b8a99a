"""A disk of last month, pushed over what came since: said before anything moves, and done."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.bundle.packing import pack
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning.ageing import CREATED
from transload.server import ServeSettings, serve
from transload.testing.images import Built, fill, image


def made(month: int) -> Built:
    return image(f"month {month}", (100,), annotations={CREATED: f"2026-{month:02}-01T00:00:00Z"})


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    return tmp_path


def test_every_way_of_going_back_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [Name(f"app{number}", "stable") for number in range(5)]
    pack(desk / "march", dict.fromkeys(names, made(3)))
    folder = LayoutStore(desk / "folder", create=True)
    for name in names:
        fill(folder, made(3), name.repository, name.tag)
    far = MemoryStore()
    with serve(far, ServeSettings(writable=True, spool_folder=desk)) as served:
        for words in (
            ("plan", "--from", "oci:folder"),
            ("push", "march"),
            ("push", "folder"),
            ("mirror", "--from", "oci:folder"),
        ):
            for name in names:
                fill(far, made(5), name.repository, name.tag)
            capsys.readouterr()
            assert main([*words, "--to", served.host_port]) == 0
            told = " ".join("".join(capsys.readouterr()).split())
            assert "5 tags go back to older content: app0:stable from 2026-05-01 to 2026-03-01, " in told, words
            assert "and 2 more" in told
        assert far.resolve(names[0]).digest == made(3).digest
        assert main(["push", "march", "--to", served.host_port]) == 0
        assert "older" not in "".join(capsys.readouterr())
