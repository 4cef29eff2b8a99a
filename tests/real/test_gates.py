"""`--gate` with skopeo, a program that reads image layouts by its own rules: it finds the image, and nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import transload
from transload.layout import LayoutStore
from transload.testing.images import fill, image, multi_platform

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not installed"),
]


def test_skopeo_inspects_and_copies_what_a_gate_is_given(tmp_path: Path) -> None:
    source = LayoutStore(tmp_path / "source", create=True)
    single, multi = image("single", layers=(200_000, 3000)), multi_platform("multi", layers=(3000,))
    fill(source, single, "acme/single", "1")
    fill(source, multi, "acme/multi", "1")
    copies = tmp_path / "copies"
    result = transload.mirror(
        origin=f"oci:{source.root}",
        to=f"oci:{tmp_path / 'target'}",
        gates=[
            "skopeo --insecure-policy inspect oci:{image}",
            f"sh -c 'mkdir -p {copies} && skopeo --insecure-policy copy -q --all oci:{{image}} oci:{copies}:{{name}}'",
        ],
        gate_output=tmp_path / "said",
    )
    assert [[gate.problem for gate in each.gates] for each in result.images] == [[None, None]] * 2
    inspected = next(each.gates[0] for each in result.images if each.name == "acme/single:1")
    assert inspected.file is not None
    assert json.loads(Path(inspected.file).read_text())["Digest"] == single.digest
    index = json.loads((copies / "index.json").read_text())
    assert {entry["digest"] for entry in index["manifests"]} == {single.digest, multi.digest}


def test_an_image_that_skopeo_cannot_read_is_refused(tmp_path: Path) -> None:
    """It asks for another architecture than the image has, which ends with an error of skopeo's."""
    source = LayoutStore(tmp_path / "source", create=True)
    fill(source, multi_platform("multi", layers=(3000,)), "acme/multi", "1")
    with pytest.raises(transload.GateRefused, match="the gate skopeo does not let it pass"):
        transload.mirror(
            origin=f"oci:{source.root}",
            to=f"oci:{tmp_path / 'target'}",
            gates=["skopeo --insecure-policy --override-arch s390x inspect oci:{image}"],
        )
    assert not (tmp_path / "target").exists() or list(LayoutStore(tmp_path / "target").repositories()) == []
