"""Policies at real registries: what is refused does not arrive, what is verified is what arrives, and what it costs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.real.servers import Registry, StartRegistry
from tests.real.vendor import Shell, held, store_at
from tests.unit.app.signed import Signer
from transload.memory import MemoryStore
from transload.ports import Target
from transload.server import serve
from transload.testing.images import fill, image

SIGNED = Path(__file__).parents[3] / "shared" / "data" / "signatures" / "notation-signed"
needs_signed = pytest.mark.skipif(not SIGNED.is_dir(), reason="the folder with images signed by notation is not here")
AT = ("--at", "2026-11-26T12:00:00Z")  # a day before their certificates expired
POLICY = """
version: 1
rules:
  - prefix: ""
    mode: require
    any-of:
      - notation: {{trust-stores: ["{folder}/site.example.crt"], identities: ["*"]}}
"""


@needs_signed
def test_images_signed_by_notation_at_a_registry(shell: Shell, registry: Registry, tmp_path: Path) -> None:
    """The policy of a site that trusts one of the two signers: two arrive, with their signatures, and two do not."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.format(folder=SIGNED))
    assert shell("push", SIGNED, "--to", f"{registry.host}/trust-vendor").code == 0
    words = ("--from", f"{registry.host}/trust-vendor", "--to", f"{registry.host}/trust-site", "--policy", policy, *AT)

    planned = shell("plan", *words)
    assert planned.code == 7
    assert "signed:   by CN=site.example,O=Notary,L=Seattle,ST=WA,C=US (notation)" in planned.out

    ran = shell("mirror", *words)
    assert ran.code == 7, ran.told
    arrived = {name for name in held(registry, "trust-site") if "sha256-" not in name}
    assert arrived == {"signed/cose-good:v1", "signed/jws-good:v1"}
    assert "signed/jws-other:v1 is not signed as the policy wants" in ran.told
    assert "CN=other.example,O=Notary,L=Seattle,ST=WA,C=US, which is not in trust-stores" in ran.told
    assert "signed/unsigned:v1 is not signed as the policy wants" in ran.told

    again = shell("mirror", *words[:4], *words[4:], "--image", "signed/jws-good")
    assert again.code == 0, again.told
    assert "1 unchanged and not judged" in again.told


KEYS = """
version: 1
rules:
  - prefix: ""
    mode: require
    any-of:
      - cosign-key: vendor.pub
"""
NAMES = ("legacy", "bundled", "both")


def publish(store: Target, vendor: Signer, host: str) -> None:
    """Images of a vendor who signs as cosign 2 does, as cosign 3 does, and in both ways; then two that are refused."""
    for name in (*NAMES, "stranger", "bare"):
        built = image(f"trust/{name}", (1000,))
        fill(store, built, f"acme/{name}", "v1")
        if name in {"legacy", "both"}:
            vendor.sign(store, f"acme/{name}", built, f"{host}/acme/{name}")
        if name in {"bundled", "both"}:
            vendor.bundle(store, f"acme/{name}", built)
        if name == "stranger":
            Signer("other.pub").sign(store, f"acme/{name}", built, f"{host}/acme/{name}")


Vendor = tuple[str, Callable[[], int]]
"""The host of a registry, and how often it was asked so far."""


@pytest.fixture(params=["docker-registry", "transload serve"])
def started(
    request: pytest.FixtureRequest, start_registry: StartRegistry
) -> Callable[[Signer], contextlib.AbstractContextManager[Vendor]]:
    """Starts a registry of its own, since it counts, with the images of a vendor in it."""

    @contextlib.contextmanager
    def start(vendor: Signer) -> Iterator[Vendor]:
        if request.param == "docker-registry":
            registry = start_registry()
            with store_at(registry) as store:
                publish(store, vendor, registry.host)
            yield registry.host, lambda: len(registry.all_requests())
            return
        held = MemoryStore()
        with serve(held) as served:
            publish(held, vendor, served.host_port)
            yield served.host_port, lambda: served.requests.total

    return start


def keys_policy(folder: Path, vendor: Signer) -> Path:
    (folder / "vendor.pub").write_bytes(vendor.pem)
    policy = folder / "policy.yaml"
    policy.write_text(KEYS)
    return policy


Started = Callable[[Signer], contextlib.AbstractContextManager[Vendor]]


def test_images_signed_with_a_key_and_what_it_costs(shell: Shell, started: Started, tmp_path: Path) -> None:
    """At most two requests for each image more than the same run without a policy."""
    vendor = Signer("vendor.pub")
    policy = keys_policy(tmp_path, vendor)
    with started(vendor) as (host, asked):

        def cost(*words: object) -> int:
            before = asked()
            ran = shell("mirror", *(f"{host}/acme/{name}:v1" for name in NAMES), *words)
            assert ran.code == 0, ran.told
            return asked() - before

        cost("--to", "oci:warm")  # it learns what this registry can
        without, judged = cost("--to", "oci:without"), cost("--to", "oci:judged", "--policy", policy)
        assert judged - without == 1, "only the tag that an image does not have was asked for besides"
        assert cost("--to", "oci:judged", "--policy", policy) == cost("--to", "oci:without"), "nothing is new"

        bad = (f"{host}/acme/stranger:v1", f"{host}/acme/bare:v1")
        ran = shell("mirror", *bad, "--to", "oci:bad", "--policy", policy, "--output", "json")
        assert ran.code == 7, ran.told
        images = ran.events[-1]["result"]["images"]
        assert [image["problem"]["code"] for image in images] == ["policy-refused", "policy-refused"]
        assert [image["trust"]["holds"] for image in images] == [False, False]
        assert ran.events[-1]["result"]["totals"]["moved_bytes"] == 0
