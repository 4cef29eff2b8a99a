"""A registry that answers questions about signatures with hostile content: refused by name, with few requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

import transload
from tests.unit.app.signed import Signer, policy, rule
from transload.app.signatures import NOTATION
from transload.errors import PolicyRefused
from transload.limits import SIGNATURES
from transload.memory import MemoryStore
from transload.oci import Digest, Manifest, Name
from transload.oci import mediatype as types
from transload.server import serve
from transload.testing.images import Built, fill, image
from transload.testing.laboratory import ALWAYS, Answer, Laboratory, answers, refuses
from transload.trust import sigstorebundle

VENDOR = Signer("vendor.pub")
RULES = policy(rule("", VENDOR))


@frozen
class Vendor:
    """A registry with one signed image, behind a laboratory."""

    built: Built
    store: MemoryStore
    laboratory: Laboratory

    def copy(self, folder: Path) -> transload.Result:
        return transload.copy(f"{self.laboratory.host_port}/acme/app:v1", f"oci:{folder}/out", policy=RULES)

    @property
    def signature_tag(self) -> str:
        return f"sha256-{self.built.digest.encoded}.sig"

    def gives(self, on: str, raw: bytes, media_type: str, about: str = "") -> None:
        """Let the registry answer so."""
        answer = Answer.of(200, raw, Content_Type=media_type)
        self.laboratory.script.add(answers(on, lambda _: answer, about=about, times=ALWAYS))

    def lists(self, *entries: dict[str, object]) -> None:
        """Let it answer that these refer to every manifest."""
        index = {"schemaVersion": 2, "mediaType": types.OCI_INDEX, "manifests": entries}
        self.gives("GET referrers", json.dumps(index).encode(), types.OCI_INDEX)


@pytest.fixture
def vendor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vendor]:
    for name in ("HOME", "TRANSLOAD_CONFIG", "TRANSLOAD_STATE_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))
    store, built = MemoryStore(), image("app", (1000,))
    fill(store, built, "acme/app", "v1")
    with serve(store) as served, Laboratory(served.host_port) as laboratory:
        yield Vendor(built, store, laboratory)


def referrer(number: int) -> dict[str, object]:
    digest = Digest.of(b"%d" % number)
    return {"mediaType": types.OCI_MANIFEST, "digest": digest, "size": 500, "artifactType": sigstorebundle.MEDIA_TYPE}


def test_a_signature_manifest_of_100_mb_is_not_read_to_its_end(vendor: Vendor, tmp_path: Path) -> None:
    vendor.gives("GET manifest", b" " * (100 << 20), types.OCI_MANIFEST, about=vendor.signature_tag)
    with pytest.raises(PolicyRefused) as refused:
        vendor.copy(tmp_path)
    assert "answers with more than 4194304 bytes" in refused.value.message
    assert refused.value.exit_code == 7

    VENDOR.bundle(vendor.store, "acme/app", vendor.built)
    assert vendor.copy(tmp_path).images[0].status == "copied", "another signature holds"


def test_ten_thousand_referrers_that_are_not_there(vendor: Vendor, tmp_path: Path) -> None:
    vendor.lists(*(referrer(number) for number in range(10_000)))
    with pytest.raises(PolicyRefused) as refused:
        vendor.copy(tmp_path)
    asked = sum(seen.kind == "manifest" for seen in vendor.laboratory.tally.requests)
    assert asked < 5 * SIGNATURES
    assert "signatures were looked at" in refused.value.message


def test_more_referrers_than_any_image_has(vendor: Vendor, tmp_path: Path) -> None:
    vendor.lists(*(referrer(number) for number in range(10_001)))
    with pytest.raises(transload.TransloadError) as refused:
        vendor.copy(tmp_path)
    assert "more than 10000 referrers" in refused.value.message


def test_an_image_that_is_said_to_sign_itself(vendor: Vendor, tmp_path: Path) -> None:
    own = {**vendor.built.descriptor.to_json(), "artifactType": NOTATION}
    vendor.lists(own)
    with pytest.raises(PolicyRefused):
        vendor.copy(tmp_path)


def test_the_tag_of_the_signature_is_the_image_itself(vendor: Vendor, tmp_path: Path) -> None:
    vendor.store.put_manifest(Name("acme/app", vendor.signature_tag), vendor.built.manifest)
    with pytest.raises(PolicyRefused) as refused:
        vendor.copy(tmp_path)
    assert "a key cannot check" in refused.value.message


def test_a_referrer_that_lists_itself_under_the_fallback_tag(vendor: Vendor, tmp_path: Path) -> None:
    """A registry without the API: the tag with the list stands for an index, which lists itself by its own tag."""
    vendor.laboratory.script.add(refuses("GET referrers", 404, "NOT_FOUND", times=ALWAYS))
    index = {
        "schemaVersion": 2,
        "mediaType": types.OCI_INDEX,
        "artifactType": sigstorebundle.MEDIA_TYPE,
        "subject": vendor.built.descriptor.to_json(),
        "manifests": [{**vendor.built.descriptor.to_json(), "artifactType": sigstorebundle.MEDIA_TYPE}],
    }
    listing = Manifest.parse(json.dumps(index).encode())
    vendor.store.put_manifest(Name("acme/app", f"sha256-{vendor.built.digest.encoded}"), listing)
    with pytest.raises(PolicyRefused) as refused:
        vendor.copy(tmp_path)
    assert "refers to no image" in refused.value.message


@pytest.mark.parametrize("status", [401, 403, 500])
@pytest.mark.parametrize("on", ["GET referrers", "GET manifest", "GET blob"])
def test_a_registry_that_gives_no_answer_does_not_say_that_there_is_no_signature(
    vendor: Vendor, tmp_path: Path, on: str, status: int
) -> None:
    VENDOR.sign(vendor.store, "acme/app", vendor.built, f"{vendor.laboratory.host_port}/acme/app")
    tag = vendor.store.fetch(Name("acme/app", vendor.signature_tag))
    about = {"GET manifest": vendor.signature_tag, "GET blob": tag.layers[0].digest}.get(on, "")
    vendor.laboratory.script.add(
        refuses(on, status, "DENIED" if status < 500 else "UNKNOWN", about=about, times=ALWAYS)
    )
    network = transload.Network(give_up_after_s=1)
    with pytest.raises(transload.TransloadError) as failed:
        transload.copy(
            f"{vendor.laboratory.host_port}/acme/app:v1", f"oci:{tmp_path}/out", policy=RULES, network=network
        )
    assert not isinstance(failed.value, PolicyRefused)
    assert failed.value.exit_code == (5 if status == 500 else 3)
