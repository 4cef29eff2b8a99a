"""`--gate`: a program of the site looks at each image before anything of it reaches the target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.releases import fill_release, release

MADE = release(images=3, size=300_000)
NAMES = tuple(MADE.images)
FIRST = NAMES[0]


@frozen
class Site:
    """A registry with a release as SOURCE, an empty folder, and programs in it."""

    folder: Path
    source: Served
    capsys: pytest.CaptureFixture[str]

    def program(self, lines: str) -> str:
        """A program, as `--gate` is given it: `$1` is the image's folder, `$2` its name, `$3` its digest."""
        path = self.folder / "gate.sh"
        path.write_text(lines)
        return f"sh {path} {{image}} {{name}} {{digest}}"

    def run(self, line: str, *gates: str) -> tuple[int, str, str]:
        self.capsys.readouterr()
        words = line.replace("SOURCE", self.source.host_port).split()
        code = main([*words, *(word for gate in gates for word in ("--gate", gate))])
        return code, *self.capsys.readouterr()

    def result(self, line: str, *gates: str) -> tuple[int, dict[str, Any]]:
        code, out, _ = self.run(f"{line} --output json", *gates)
        return code, json.loads(out.splitlines()[-1])["result"]

    def left(self) -> list[str]:
        """What is left in the folder for staging."""
        staging = self.folder / "state" / "gates"
        return [path.name for path in staging.iterdir()] if staging.exists() else []


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    store = MemoryStore()
    fill_release(store, MADE, "acme")
    with serve(store) as source:
        yield Site(tmp_path, source, capsys)


def held(folder: str) -> set[str]:
    """The images that a folder has under their names, whole."""
    if not Path(folder).exists():
        return set()
    store = LayoutStore(Path(folder))
    names = {name.repository.removeprefix("acme/") for name in store._index().names}
    for name in names:
        assert store.fetch(Name(f"acme/{name}", MADE.tag)).raw == MADE.images[name].manifest.raw
    return names


MIRROR = "mirror --from SOURCE --to oci:copy"


def test_each_image_is_shown_once_and_copied_if_the_gate_lets_it_pass(site: Site) -> None:
    gate = site.program('test -f "$1/index.json" && test -f "$1/oci-layout" && echo "$2 $3" >> seen')
    code, result = site.result(MIRROR, gate)
    assert code == 0
    assert held("copy") == set(NAMES)
    seen = sorted(Path("seen").read_text().splitlines())
    assert seen == sorted(f"acme/{name}:{MADE.tag} {MADE.images[name].digest}" for name in NAMES)
    assert [[said["passed"] for said in image["gates"]] for image in result["images"]] == [[True]] * 3
    assert site.left() == []


def test_a_refused_image_is_not_there_and_the_others_are(site: Site) -> None:
    gate = site.program(f'case "$2" in acme/{FIRST}:*) echo "CVE-1 is critical"; exit 3;; esac')
    code, out, _ = site.run(MIRROR, gate)
    assert code == 7
    assert held("copy") == set(NAMES) - {FIRST}
    assert "the gate sh does not let it pass: exit code 3: CVE-1 is critical" in " ".join(out.split())
    assert not LayoutStore(Path("copy")).exists("", MADE.images[FIRST].manifest.descriptor)


def test_all_refused_is_exit_code_7_and_nothing_arrives(site: Site) -> None:
    code, result = site.result(MIRROR, site.program("exit 1"))
    assert code == 7
    assert held("copy") == set()
    assert {image["problem"]["code"] for image in result["images"]} == {"gate-refused"}
