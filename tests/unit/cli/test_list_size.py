"""What `transload list` says about the size of a bundle's content."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import fill, image


def test_the_content_is_as_large_as_its_blobs_and_not_as_the_volumes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of small blobs, the headers of a bundle are a third of it."""
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill(LayoutStore(tmp_path / "site", create=True), image("tiny", [100] * 200), "tiny", "v1")
    content = sum(path.stat().st_size for path in (tmp_path / "site" / "blobs" / "sha256").iterdir())
    bundle = tmp_path / "tiny.tar"
    assert main(["pack", "--from", f"oci:{tmp_path / 'site'}", "-o", str(bundle), "--quiet"]) == 0
    capsys.readouterr()
    assert main(["list", str(bundle)]) == 0
    assert f"1 image, 1 manifest, 201 blobs, {content / 1024:.0f} KiB" in capsys.readouterr().out
    assert bundle.stat().st_size > 1.5 * content
