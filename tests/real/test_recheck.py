"""What a real registry has lost below a tag is found with `--recheck`, and sent again."""

import os
from pathlib import Path

import pytest

import transload
from tests.real.servers import Registry
from transload import LayoutStore
from transload.testing.images import fill, image

MADE = image("recheck", layers=(3000, 200_000))
LAYER = max(MADE.walk_contents(), key=lambda content: content.descriptor.size).descriptor


def test_a_layer_that_was_deleted_below_its_tag(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    fill(LayoutStore("source", create=True), MADE, "lossy", "1")
    to = f"{registry.host}/recheck-{os.getpid()}"
    transload.mirror((), origin="oci:source", to=to)
    repository = f"{to.partition('/')[2]}/lossy"
    assert registry.request(f"/v2/{repository}/blobs/{LAYER.digest}", "DELETE")[0] == 202
    assert not transload.verify("oci:source", to=to).good
    assert transload.mirror((), origin="oci:source", to=to).moved_bytes == 0
    assert transload.mirror((), origin="oci:source", to=to, recheck=True).moved_bytes == LAYER.size
    assert transload.verify("oci:source", to=to, deep=True).good
