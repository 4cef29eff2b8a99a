"""Images that an identity signed, from the registry to the target: accepted, refused, and how young they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.trust.ownsigstore import OwnSigstore, just_now
from transload.app.attaching import put_artifact
from transload.cli.main import main
from transload.memory import MemoryStore
from transload.oci import Name
from transload.server import Served, serve
from transload.testing.images import fill, image

pytest.importorskip("sigstore", reason="the extra sigstore is not installed")

BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
WORKFLOW = "https://code.example/acme/shop/.github/workflows/release.yml@refs/tags/v1"
ISSUER = "https://token.example"
RULE = """
version: 1
rules:
  - prefix: ""
    mode: require
    any-of:
      - sigstore:
          issuer: https://token.example
          identity-regexp: https://code.example/acme/.*
          trusted-root: root.json
"""


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A registry with an image that the workflow of the vendor signed, one by somebody else, and one by nobody."""
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "TRANSLOAD_CONFIG", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    own, store = OwnSigstore(just_now()), MemoryStore()
    Path("root.json").write_bytes(own.trusted_root())
    Path("policy.yaml").write_text(RULE)
    for name, identity in (("good", WORKFLOW), ("fork", WORKFLOW.replace("acme", "evil")), ("bare", None)):
        built = image(name, (1000,))
        fill(store, built, f"acme/{name}", "v1")
        if identity:
            content = own.signed(built.manifest.raw, identity, ISSUER)
            subject = store.resolve(Name(f"acme/{name}", "v1"))
            put_artifact(store, f"acme/{name}", subject, content=content, media_type=BUNDLE, artifact_type=BUNDLE)
    with serve(store) as served:
        yield served


def test_the_image_of_the_workflow_arrives_and_can_be_verified_there(
    vendor: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["mirror", "--from", vendor.host_port, "--to", "oci:out", "--policy", "policy.yaml", "--output", "json"]
    assert main(words) == 7
    result = json.loads(capsys.readouterr().out.splitlines()[-1])["result"]
    told = {entry["name"]: (entry["status"], (entry["problem"] or {}).get("message", "")) for entry in result["images"]}
    assert told["acme/good:v1"] == ("copied", "")
    assert "evil/shop" in told["acme/fork:v1"][1]
    assert "no signature was found" in told["acme/bare:v1"][1]
    (good,) = [entry["trust"] for entry in result["images"] if entry["name"] == "acme/good:v1"]
    assert [(signer["signer"], signer["time_from"]) for signer in good["signers"]] == [
        (f"{WORKFLOW} (issuer {ISSUER})", "the transparency log")
    ]
    assert main(["verify", "oci:out", "--policy", "policy.yaml"]) == 0
    assert "1 signed as it wants" in capsys.readouterr().out


def test_the_time_of_the_log_says_how_young_an_image_is(vendor: Served, capsys: pytest.CaptureFixture[str]) -> None:
    words = [f"{vendor.host_port}/acme/good:v1", "--to", "oci:out", "--policy", "policy.yaml"]
    assert main(["mirror", *words, "--min-age", "7d"]) == 7
    assert "by the transparency log: it is younger than 7d" in capsys.readouterr().err.replace("\n", " ")
    assert main(["mirror", *words, "--max-age", "7d"]) == 0


def test_another_sigstore_vouches_for_nobody_here(vendor: Served, capsys: pytest.CaptureFixture[str]) -> None:
    Path("root.json").write_bytes(OwnSigstore(just_now()).trusted_root())
    assert main(["mirror", f"{vendor.host_port}/acme/good:v1", "--to", "oci:out", "--policy", "policy.yaml"]) == 7
    assert "does not accept its signature" in capsys.readouterr().err.replace("\n", " ")
