"""A bundle against what the target has: also with referrers of an image, and with some blobs there already."""

from __future__ import annotations

from pathlib import Path

import pytest

from transload.cli.main import main
from transload.layout import LayoutStore
from transload.testing.images import fill, image, signature


def test_what_a_signature_shares_with_an_older_one_is_a_prerequisite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_STATE_DIR", "TRANSLOAD_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    for month in ("1", "2"):
        store = LayoutStore(tmp_path / f"source{month}", create=True)
        fill(store, image(month, (100,)), "app", month)
        fill(store, signature(image(month, (100,))), "app")
    assert main(["pack", "--from", "oci:source1", "--referrers", "-o", "first"]) == 0
    assert main(["pack", "--from", "oci:source2", "--referrers", "--against", "first.tar", "-o", "second"]) == 0
    capsys.readouterr()
    assert main(["verify", "second"]) == 0
    assert "2 prerequisites (" in (told := capsys.readouterr().out)
    assert "left out, the target should have them: not checked" in told
    assert main(["push", "second", "--to", "oci:far"]) == 9
    assert main(["push", "first", "--to", "oci:far"]) == 0
    assert main(["push", "second", "--to", "oci:far"]) == 0
    far = LayoutStore(tmp_path / "far")
    assert len(far.refers.referrers("app", image("2", (100,)).digest)) == 1
    assert "2 blobs" in capsys.readouterr().out
