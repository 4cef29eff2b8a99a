"""Tags and manifests taken out of a real docker-registry."""

from __future__ import annotations

import pytest

from tests.real.servers import Registry, StartRegistry
from transload.errors import AccessDenied, ManifestUnknown, Refused
from transload.login import Login, Secret
from transload.net.http import Http
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.images import fill, image, signature

APP = image("app", layers=(100,))


def test_a_tag_goes_alone_or_stays(registry: Registry) -> None:
    """distribution 2.8 deletes by digest only, 3.0 also single tags; another tag is lost with neither."""
    with Http() as http:
        store = RegistryStore(registry.host, http)
        for tag in ("1", "2"):
            fill(store, APP, "deleting/tag", tag)
        refusals = []
        try:
            store.deletes.delete_manifest(Name("deleting/tag", "1"))
        except Refused as refusal:
            refusals.append(refusal.hint or "")
        assert all(f"@{APP.digest}" in hint for hint in refusals)
        assert sorted(store.tags("deleting/tag")) == (["1", "2"] if refusals else ["2"])


def test_a_manifest_goes_with_its_tags(registry: Registry) -> None:
    with Http() as http:
        store = RegistryStore(registry.host, http)
        for tag in ("1", "2"):
            fill(store, APP, "deleting/digest", tag)
        store.deletes.delete_manifest(Name("deleting/digest", None, APP.digest))
        assert list(store.tags("deleting/digest")) == []
        with pytest.raises(ManifestUnknown):
            store.deletes.delete_manifest(Name("deleting/digest", None, APP.digest))
        with pytest.raises(ManifestUnknown):
            store.deletes.delete_manifest(Name("deleting/digest", "1"))


def test_a_referrer_goes_from_the_list_too(registry: Registry) -> None:
    one, two = signature(APP, "one"), signature(APP, "two")
    with Http() as http:
        store = RegistryStore(registry.host, http)
        fill(store, APP, "deleting/signed", "1")
        for signed in (one, two):
            fill(store, signed, "deleting/signed")
        store.deletes.delete_manifest(Name("deleting/signed", None, one.digest))
        assert store.refers.referrers("deleting/signed", APP.digest) == (two.descriptor,)


def test_a_token_with_the_right_to_delete_is_asked_for(start_registry: StartRegistry) -> None:
    registry = start_registry("token")
    assert registry.user is not None
    assert registry.reader is not None
    writer = Login(registry.user.name, Secret(registry.user.password))
    reader = Login(registry.reader.name, Secret(registry.reader.password))
    name = Name("deleting/token", None, APP.digest)
    with Http() as http:
        store = RegistryStore(registry.host, http, login=writer)
        fill(store, APP, "deleting/token", "1")
        with pytest.raises(AccessDenied):
            RegistryStore(registry.host, http, login=reader).deletes.delete_manifest(name)
        store.deletes.delete_manifest(name)
        with pytest.raises(ManifestUnknown):
            store.resolve(name)


def test_a_registry_that_is_not_to_delete(start_registry: StartRegistry) -> None:
    registry = start_registry(storage={"delete": {"enabled": False}})
    with Http() as http:
        store = RegistryStore(registry.host, http)
        fill(store, APP, "kept", "1")
        with pytest.raises(Refused, match="kept") as raised:
            store.deletes.delete_manifest(Name("kept", None, APP.digest))
        assert "storage.delete.enabled" in (raised.value.hint or "")
        assert list(store.tags("kept")) == ["1"]
