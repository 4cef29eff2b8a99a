"""What refers to an image on its way to a server: the order of the requests there."""

from __future__ import annotations

import pytest

import transload
from transload import Environment, ImagesFailed, MemoryStore
from transload.errors import Refused
from transload.oci import Name
from transload.server import ServeSettings, serve
from transload.testing.faults import FaultyStore, fails
from transload.testing.images import fill, image, signature

NOTHING = Environment()
APP = image("app")
SIGNED = signature(APP)


def vendor() -> MemoryStore:
    store = MemoryStore()
    fill(store, APP, "acme/app", "1")
    fill(store, SIGNED, "acme/app")
    return store


def put(target: FaultyStore) -> list[str]:
    """The manifests that were stored, in order."""
    return [subject for operation, subject in target.subjects if operation == "put_manifest"]


def test_a_server_gets_the_image_then_its_signature_then_its_tag() -> None:
    target = FaultyStore(MemoryStore())
    with serve(vendor()) as source, serve(target, ServeSettings(writable=True)) as site:
        place = f"{site.host_port}/acme/app:1"
        transload.copy(f"{source.host_port}/acme/app:1", place, referrers=True, environment=NOTHING)
    assert put(target) == [f"acme/app@{APP.digest}", f"acme/app@{SIGNED.digest}", "acme/app:1"]


def test_a_signature_that_is_refused_keeps_the_tag_back() -> None:
    """The image lies there by digest, and nobody who asks for the tag gets it without its signature."""
    refusal = fails("put_manifest", lambda: Refused("no signatures here"), subject=f"acme/app@{SIGNED.digest}", times=9)
    target = FaultyStore(MemoryStore(), [refusal])
    with serve(vendor()) as source, serve(target, ServeSettings(writable=True)) as site:
        place = f"{site.host_port}/acme/app:1"
        with pytest.raises(Exception, match="no signatures here") as caught:
            transload.copy(f"{source.host_port}/acme/app:1", place, referrers=True, environment=NOTHING)
    assert not isinstance(caught.value, ImagesFailed)
    assert list(target.store.tags("acme/app")) == []
    assert target.store.fetch(Name("acme/app", None, APP.digest)).raw == APP.manifest.raw
