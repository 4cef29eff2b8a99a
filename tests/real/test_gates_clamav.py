"""`--gate` with ClamAV and a signature database of our own: it finds what lies in a layer, and says so."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

import transload
from transload.layout import LayoutStore
from transload.oci import Name
from transload.report.gateattestation import ARTIFACT_TYPE
from transload.testing.images import fill, image

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("clamscan") is None, reason="ClamAV is not installed"),
]


def test_clamscan_refuses_the_image_with_what_it_knows_and_lets_the_other_pass(tmp_path: Path) -> None:
    source = LayoutStore(tmp_path / "source", create=True)
    clean, bad = image("clean", layers=(5000,)), image("bad", layers=(6000,))
    fill(source, clean, "acme/clean", "1")
    fill(source, bad, "acme/bad", "1")
    layer = source.paths.path(bad.manifest.layers[0].digest).read_bytes()
    database = tmp_path / "own.hdb"
    database.write_text(f"{hashlib.md5(layer, usedforsecurity=False).hexdigest()}:{len(layer)}:Own.Test\n")
    result = transload.mirror(
        origin=f"oci:{source.root}",
        to=f"oci:{tmp_path / 'target'}",
        gates=[f"clamscan --database {database} --recursive --infected --no-summary {{image}}"],
        check=False,
    )
    said = {each.name: each.gates[0] for each in result.images}
    assert said["acme/clean:1"].passed
    assert said["acme/bad:1"].problem == "exit code 1"
    assert "Own.Test" in " ".join(said["acme/bad:1"].lines)
    target = LayoutStore(tmp_path / "target")
    assert {name.repository for name in target._index().names} == {"acme/clean"}
    (referrer,) = target.refers.referrers("acme/clean", clean.digest)
    assert referrer.artifact_type == ARTIFACT_TYPE
    manifest = target.fetch(Name("acme/clean", None, referrer.digest))
    with target.open("acme/clean", manifest.layers[0]) as chunks:
        statement = json.loads(b"".join(map(bytes, chunks)))
    assert statement["predicate"]["gate"] == {"program": "clamscan"}
    assert statement["predicate"]["output"]["size"] == 0  # a clean image is told with --infected by silence
