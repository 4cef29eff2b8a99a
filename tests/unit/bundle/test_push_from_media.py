"""A bundle on discs that are put in one after the other: each run pushes what it can, and the next one goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

import transload
from tests.unit.bundle.packing import pack
from transload import ImagesFailed
from transload.oci import Name
from transload.testing.images import image

VOLUME = 1 << 20
IMAGES = {Name("a/b", str(number)): image(f"disc {number}", layers=(700_000,)) for number in range(5)}


def test_one_disc_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRANSLOAD_STATE_DIR", str(tmp_path / "state"))
    first, *others, _sums = pack(tmp_path / "b", IMAGES, VOLUME)[1]
    discs = tmp_path / "discs"
    discs.mkdir()
    away = [path.rename(discs / path.name) for path in others]
    disc = tmp_path / "disc"
    disc.mkdir()
    arrived = []
    for path in away:
        for old in disc.iterdir():
            old.rename(discs / old.name)
        path.rename(disc / path.name)
        with pytest.raises(ImagesFailed) as caught:
            transload.push("b", to="oci:site", volumes=disc)
        assert "is missing" in str(caught.value.errors[0])
        arrived.append(caught.value.result.moved_bytes)
    assert first.exists()
    assert sum(arrived) > 0
    result = transload.push("b", to="oci:site", volumes=[discs, disc])
    assert result.moved_bytes + sum(arrived) == sum(
        blob.descriptor.size for built in IMAGES.values() for blob in built.walk_contents()
    )
    assert transload.verify("oci:site", deep=True).good
