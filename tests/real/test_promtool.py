"""Prometheus' own tool reads the figures that a run leaves, and the rules for alerts in the documentation."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, blocks
from tests.real.programs import program
from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import fill, image


def promtool(*words: str, given: str = "") -> str:
    done = subprocess.run(
        [program("promtool"), "check", *words], input=given, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("tag", ["v1", "missing"])
def test_it_takes_the_figures_without_a_remark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tag: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill(LayoutStore(tmp_path / "folder", create=True), image("one", (1000,)), "app/one", "v1")
    words = f"mirror app/one:{tag} --from oci:folder --to oci:copy --metrics-file site.prom"
    assert main(words.split()) == (0 if tag == "v1" else 4)
    assert promtool("metrics", given=Path("site.prom").read_text()) == ""


def test_it_takes_the_rules(tmp_path: Path) -> None:
    (rules,) = [block for block in blocks(DOCS / "guides" / "monitoring.md") if block.language == "yaml"]
    path = tmp_path / "rules.yaml"
    path.write_text(rules.text)
    assert "2 rules found" in promtool("rules", str(path))
