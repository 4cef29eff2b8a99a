"""A disk of last month over what came since: a push refuses those tags, everything else says it and does it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import transload
from tests.unit.bundle.packing import pack
from transload import Network, NotFound, WouldGoBack
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.planning.ageing import CREATED
from transload.server import ServeSettings, serve
from transload.testing.faults import FaultyStore
from transload.testing.images import Built, artifact, fill, image


def made(month: int) -> Built:
    return image(f"month {month}", (100,), annotations={CREATED: f"2026-{month:02}-01T00:00:00Z"})


MARCH = image("shared", (100, 300), annotations={CREATED: "2026-03-01T00:00:00Z"})


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
            ("push", "march", "--allow-older"),
            ("push", "folder", "--allow-older"),
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


@pytest.fixture
def bundle(desk: Path) -> str:
    """Of March: `app` and `new`, which share a layer, and one that does not say when it was made."""
    undated = artifact("undated")
    pack(desk / "march", {Name("app", "stable"): MARCH, Name("new", "1"): MARCH, Name("tool", "stable"): undated})
    return str(desk / "march")


@pytest.fixture
def far() -> MemoryStore:
    store = MemoryStore()
    fill(store, made(5), "app", "stable")
    fill(store, made(5), "tool", "stable")
    return store


def pushed(far: MemoryStore, desk: Path, *words: str) -> int:
    with serve(far, ServeSettings(writable=True, spool_folder=desk)) as served:
        return main(["push", *words, "--to", served.host_port])


def test_a_push_refuses_a_tag_that_would_go_back_and_does_the_others(
    desk: Path, bundle: str, far: MemoryStore, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pushed(far, desk, bundle, "--output", "json") == 7
    result = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]
    images = {image["name"]: image for image in result["images"]}
    assert {name: image["status"] for name, image in images.items()} == {
        "app:stable": "failed",
        "new:1": "copied",
        "tool:stable": "updated",
    }
    problem = images["app:stable"]["problem"]
    assert (problem["code"], problem["exit_code"], problem["side"]) == ("would-go-back", 7, "target")
    assert problem["message"] == (
        "app:stable would go back to older content: what is there says that it was made 2026-05-01, "
        "this was made 2026-03-01"
    )
    assert "--allow-older" in problem["hint"]
    assert far.resolve(Name("app", "stable")).digest == made(5).digest
    assert list(far.tags("app")) == ["stable"]
    with pytest.raises(NotFound):
        far.fetch(Name("app", None, MARCH.digest))


def test_allowed_it_goes_back(desk: Path, bundle: str, far: MemoryStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert pushed(far, desk, bundle, "--allow-older") == 0
    assert "1 tag goes back to older content: app:stable" in " ".join("".join(capsys.readouterr()).split())
    assert far.resolve(Name("app", "stable")).digest != made(5).digest


def test_the_library_raises_it_and_can_allow_it(desk: Path, bundle: str, far: MemoryStore) -> None:
    with serve(far, ServeSettings(writable=True, spool_folder=desk)) as served:
        network = Network(plain_http=(served.host_port,))
        with pytest.raises(WouldGoBack, match="app:stable would go back"):
            transload.push(bundle, to=served.host_port, images=["app:stable"], network=network)
        result = transload.push(bundle, to=served.host_port, allow_older=True, network=network)
        assert not result.failures


def test_a_refusal_costs_no_request_more_than_the_note(desk: Path, bundle: str) -> None:
    counts = []
    for words in ((), ("--allow-older",)):
        store = FaultyStore(MemoryStore())
        fill(store.store, made(5), "app", "stable")
        with serve(store, ServeSettings(writable=True, spool_folder=desk)) as served:
            main(["push", bundle, "--image", "app:stable", *words, "--to", served.host_port])
        counts.append(store.calls["fetch"] + store.calls["resolve"] + store.calls["open"])
    assert counts[0] <= counts[1]
