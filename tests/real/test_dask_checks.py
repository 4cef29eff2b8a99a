"""`apply --dask` with a policy, a gate, records and a report: they say the same as of a run on one machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.real.clusters import running_cluster
from tests.real.servers import StartRegistry
from tests.real.test_dask import planned
from tests.real.vendor import Shell, held, store_at
from tests.unit.app.signed import Signer
from transload.report.transferrecord import ARTIFACT_TYPE
from transload.testing.images import fill, image

POLICY = """
version: 1
rules:
  - prefix: ""
    mode: require
    any-of:
      - cosign-key: vendor.pub
  - prefix: "{host}/lax"
    mode: warn
    any-of:
      - cosign-key: vendor.pub
"""
GATE = "sh -c 'test -f {image}/index.json && case {name} in *ill*) exit 1;; esac'"
NAMES = ("strict/signed", "strict/bare", "strict/stranger", "lax/bare", "strict/ill")


def told_of(report: Path, way: str) -> list[dict[str, Any]]:
    """What a report says of each image, without times and where it came to be."""
    kept = ("name", "status", "trust", "gates", "copied", "problem", "digest")
    images: list[dict[str, Any]] = json.loads(report.read_text().replace(f"{way}/", ""))["images"]
    told = [{key: value for key, value in each.items() if key in kept} for each in images]
    for each in told:
        for gate in each.get("gates") or ():
            gate.pop("duration_s", None)
            gate.pop("file", None)
    return told


def test_policies_gates_records_and_reports_are_those_of_a_local_run(
    shell: Shell, start_registry: StartRegistry, tmp_path: Path
) -> None:
    source, vendor = start_registry(), Signer("vendor.pub")
    (tmp_path / "vendor.pub").write_bytes(vendor.pem)
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.format(host=source.host))
    with store_at(source) as store:
        for name in NAMES:
            built = image(name, [30_000 + len(name), 2000])
            fill(store, built, name, "1")
            if name in {"strict/signed", "strict/ill"}:
                vendor.sign(store, name, built, f"{source.host}/{name}")
            if name == "strict/stranger":
                Signer("other.pub").sign(store, name, built, f"{source.host}/{name}")
    images = [f"{source.host}/{name}:1" for name in NAMES]
    reports, arrived, recorded, attached = {}, {}, {}, {}
    with running_cluster(tmp_path) as cluster:
        cluster.worker("one", threads=2)
        for way, words in (("here", ()), ("there", ("--dask", cluster.address))):
            registry = start_registry()
            plan = planned(shell, images[0], f"{registry.host}/{way}", *images[1:], name=f"{way}.json")
            reports[way] = tmp_path / f"report-{way}.json"
            kept = ("--record-at-target", "--record", tmp_path / f"record-{way}.json", "--report", reports[way])
            process = shell.start("apply", plan, *words, "--policy", policy, "--gate", GATE, *kept)
            out, err = process.communicate(timeout=240)
            assert process.returncode == 7, out + err
            assert "is not signed as the policy wants" in out + err
            arrived[way] = {name for name in held(registry, way) if "sha256-" not in name}
            with store_at(registry) as target:
                assert target.refers is not None
                digest = image("lax/bare", [30_008, 2000]).digest
                beside = target.refers.referrers(f"{way}/lax/bare", digest)
                attached[way] = {descriptor.artifact_type for descriptor in beside}
            recorded[way] = (tmp_path / f"record-{way}.json").read_text().count('"sha256"')
    assert attached["there"] == attached["here"] >= {ARTIFACT_TYPE}  # and what the gate says
    assert len(attached["here"]) == 2
    assert recorded["there"] == recorded["here"] > 0
    assert arrived["there"] == arrived["here"] == {"strict/signed:1", "lax/bare:1"}
    told = told_of(reports["there"], "there")
    assert told == told_of(reports["here"], "here")
    assert [each["status"] for each in told] == ["copied", "failed", "failed", "copied", "failed"]
    assert [each["trust"]["mode"] for each in told] == ["require", "require", "require", "warn", "require"]
    assert [gate["passed"] for each in told for gate in each.get("gates", ())] == [True, True, False]
