"""The report of a push leads back to where the images of the bundle were published."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transload.cli.main import main
from transload.memory import MemoryStore
from transload.server import ServeSettings, serve
from transload.testing.images import fill, image


def test_a_bundle_knows_where_its_images_were_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    vendor = MemoryStore()
    built = image(seed=1)
    fill(vendor, built, "team/web", "1")
    with serve(vendor) as source, serve(MemoryStore(), ServeSettings(writable=True)) as target:
        published, site = f"{source.host_port}/team/web", f"{target.host_port}/site"
        assert main(["pack", f"{published}:1", "-o", "bundle", "--quiet"]) == 0
        assert main(["push", "bundle", "--to", site, "--report", "push.json", "--quiet"]) == 0
    reported = json.loads(Path("push.json").read_text())["images"][0]
    assert (reported["source"], reported["published"]) == ("bundle:bundle/team/web:1", f"{published}:1")
    capsys.readouterr()
    assert main(["configure", "kustomize", "push.json", "--pin"]) == 0
    text = capsys.readouterr().out
    assert f"newName: {site}/team/web" in text
    assert f"name: {published}" in text
    assert built.digest in text
