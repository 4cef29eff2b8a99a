"""Files of other tools, taken as sets by the commands that copy: images, rules, charts, and notes on the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import transload
from tests.unit.charts.building import archive, chart_repository
from tests.unit.registry.wire import Wire
from transload.cli.main import main
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image

APP, OTHER = image("app", (900,)), image("other", (900,))
NOT_FOUND = 4


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / ".home"))


@pytest.fixture
def vendor() -> Iterator[str]:
    store = MemoryStore()
    for tag in ("1.0.0", "1.1.0", "2.0.0", "latest", "edge-1"):
        fill(store, APP, "team/app", tag)
    fill(store, OTHER, "team/other", "7")
    with serve(store, ServeSettings(writable=True)) as served:
        yield served.host_port


@pytest.fixture
def charts() -> Iterator[Wire]:
    with chart_repository({"web-1.2.3.tgz": archive()}) as wire:
        yield wire


def copied(file: str, to: str = "oci:out") -> dict[str, str]:
    return {image.name: image.status for image in transload.mirror(file, to=to).images}


def test_rules_of_a_list_ask_the_source(vendor: str) -> None:
    Path("skopeo.yaml").write_text(
        f"{vendor}:\n  images: {{team/other: []}}\n  images-by-semver: {{team/app: '^1'}}\n"
        "  images-by-tag-regex: {team/app: ^edge}\n"
    )
    assert set(copied("skopeo.yaml")) == {"team/other:7", "team/app:1.0.0", "team/app:1.1.0", "team/app:edge-1"}


def test_a_whole_registry_of_regsync(vendor: str) -> None:
    Path("regsync.yaml").write_text(
        f"sync:\n  - {{source: '{vendor}', target: r.example/all, type: registry, repos: {{deny: [team/other]}},"
        " tags: {allow: [latest]}}\n"
    )
    assert copied("regsync.yaml") == {"all/team/app:latest": "copied"}


def test_charts_and_notes_of_hauler(vendor: str, charts: Wire, capsys: pytest.CaptureFixture[str]) -> None:
    Path("hauler.yaml").write_text(
        "apiVersion: content.hauler.cattle.io/v1\nkind: Images\nspec:\n"
        f"  images: [{{name: '{vendor}/team/app:1.0.0', rewrite: 'r.example/moved/app'}}]\n"
        "---\napiVersion: content.hauler.cattle.io/v1\nkind: Charts\nspec:\n"
        f"  charts: [{{name: web, repoURL: 'http://{charts.host}/charts', version: 1.2.3}}]\n"
        "---\napiVersion: content.hauler.cattle.io/v1\nkind: Files\nspec:\n  files: [{path: ./install.sh}]\n"
    )
    assert main(["plan", "hauler.yaml", "--to", "oci:out", "--output", "json"]) == 0
    (plan,) = [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if line["event"] == "plan"]
    notes = plan["plan"]["notes"]
    assert [note for note in notes if note.startswith("hauler.yaml")] == [
        (
            "hauler.yaml:4: spec.images[0].rewrite: --to says which registry images go to, instead of r.example; "
            "their paths there stay"
        ),
        "hauler.yaml:14: spec.files: files are no images, pack carries them with --also: ./install.sh",
    ]
    assert copied("hauler.yaml") == {"moved/app:1.0.0": "copied", "charts/web:1.2.3": "copied"}
    assert transload.verify("hauler.yaml", to="oci:out").good


def test_what_is_left_open_is_said_in_every_run(vendor: str, capsys: pytest.CaptureFixture[str]) -> None:
    images = [f"{vendor}/team/app:1.0.0", f"{vendor}/x:###ZARF_VAR_T###"]
    Path("zarf.yaml").write_text(f"kind: ZarfPackageConfig\ncomponents: [{{images: {json.dumps(images)}}}]\n")
    for words in (["mirror", "zarf.yaml", "--to", "oci:out"], ["pack", "zarf.yaml", "-o", "packed"]):
        assert main(words) == 0
        assert "###ZARF_VAR_T### stands for what another tool fills in" in "".join(capsys.readouterr()).replace(
            "\n ", ""
        )


def test_a_list_of_nothing_says_what_it_has(capsys: pytest.CaptureFixture[str]) -> None:
    Path("zarf.yaml").write_text("kind: ZarfPackageConfig\ncomponents: [{repos: [https://git.example/a]}]\n")
    assert main(["mirror", "zarf.yaml", "--to", "oci:out"]) == NOT_FOUND
    assert "zarf.yaml lists no image" in (err := capsys.readouterr().err)
    assert "git repositories are not copied" in err


def test_json_is_a_list_too(vendor: str) -> None:
    Path("images.json").write_text(json.dumps({f"{vendor}/team/app:1.0.0,latest": "r.example/a/b"}, indent="\t"))
    assert set(copied("images.json")) == {"a/b:1.0.0", "a/b:latest"}


def test_logins_of_a_list_are_never_used(vendor: str) -> None:
    Path("s.yaml").write_text(
        f"{vendor}:\n  images: {{team/other: ['7']}}\n  credentials: {{username: ann, password: secret-word}}\n"
    )
    result = transload.mirror("s.yaml", to="oci:out")
    assert not [note for note in result.notes if "secret-word" in note or "ann" in note]
    assert any("logins come from login files and options" in note for note in result.notes)


def test_discover_finds_what_they_list(capsys: pytest.CaptureFixture[str]) -> None:
    Path("all").mkdir()
    Path("all/skopeo.yaml").write_text(
        "q.example:\n  images: {a: ['1']}\n  images-by-semver: {b: ^1}\n  cert-dir: /x\n"
    )
    Path("all/Images.lock").write_text("apiVersion: v0\nkind: ImagesLock\nimages: [{image: q.example/c:1}]\n")
    Path("all/pod.yaml").write_text("kind: Pod\napiVersion: v1\nspec: {containers: [{image: 'q.example/d:1'}]}\n")
    Path("all/broken.json").write_text("{")
    assert main(["discover", "all", "--output", "json"]) == 1, "a file could not be read"
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    (found,) = [line for line in lines if line["event"] == "discover"]
    assert [(image["reference"], image["rules"], image["found"][0]["line"]) for image in found["images"]] == [
        ("q.example/c:1", ["Images.lock"], 3),
        ("q.example/d:1", ["pod"], 3),
        ("q.example/a:1", ["skopeo sync list"], 2),
    ]
    assert [(question["text"], question["found"][0]["line"]) for question in found["questions"]] == [
        ("q.example/b", 3),
        ("", None),
    ]
    assert [item["found"]["file"] for item in found["unread"]] == ["all/broken.json"]
