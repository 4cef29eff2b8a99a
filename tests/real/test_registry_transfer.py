"""Moving large blobs to and from a real docker-registry, also when it is interrupted."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.real.servers import Registry, Skopeo
from transload.net.http import Http
from transload.net.settings import NetSettings
from transload.oci import Name
from transload.registry.store import RegistryStore
from transload.testing.contract import blob, read
from transload.testing.images import fill, image, put, signature
from transload.threads import TaskGroup

LARGE = blob("transfer", 6_000_000)


def breaking(content: bytes, error: Exception) -> Iterator[bytes]:
    for start in range(0, len(content), 1 << 20):
        yield content[start : start + (1 << 20)]
    raise error


def test_an_interrupted_upload_starts_over_where_the_registry_cannot_resume(registry: Registry) -> None:
    mine = OSError("of the source")
    with Http() as http:
        store = RegistryStore(registry.host, http)
        with pytest.raises(OSError) as caught, store.begin("interrupted", LARGE.descriptor) as ingest:
            ingest.write(breaking(LARGE.read()[:3_000_000], mine))
        assert caught.value is mine
        put(store, "interrupted", LARGE)
        assert read(store, "interrupted", LARGE.descriptor) == LARGE.read()


def test_pieces_arrive_as_one(registry: Registry) -> None:
    with Http() as http:
        store = RegistryStore(registry.host, http)
        store.capabilities.upload_mode, store.capabilities.piece_bytes = "pieces", 1 << 20
        put(store, "pieces", LARGE)
        assert read(store, "pieces", LARGE.descriptor) == LARGE.read()
        assert http.traffic.kinds()["PATCH", "upload"] == 6


def test_the_whole_body_with_the_put(registry: Registry) -> None:
    with Http() as http:
        store = RegistryStore(registry.host, http)
        store.capabilities.upload_mode = "put"
        put(store, "monolithic", LARGE)
        assert read(store, "monolithic", LARGE.descriptor) == LARGE.read()
        assert http.traffic.requests == 3


def test_parts_of_a_blob(registry: Registry) -> None:
    with Http() as http:
        store = RegistryStore(registry.host, http)
        put(store, "parts", LARGE)
        for offset, length in ((0, 1), (5_999_999, None), (2_000_000, 3_000_000)):
            end = len(LARGE.read()) if length is None else offset + length
            assert read(store, "parts", LARGE.descriptor, offset, length) == LARGE.read()[offset:end]
        assert store.capabilities.ranges is True


def test_copying_within_one_registry_with_few_slots_does_not_block(registry: Registry) -> None:
    contents = [blob(f"within{number}", 2_000_000) for number in range(6)]
    with Http(NetSettings(slots_per_host=1)) as http:
        store = RegistryStore(registry.host, http)
        for content in contents:
            put(store, "within/a", content)
        together = threading.Barrier(3)

        def copy(number: int) -> None:
            together.wait()
            for content in contents[number::3]:
                descriptor = content.descriptor
                with store.open("within/a", descriptor) as chunks, store.begin("within/b", descriptor) as ingest:
                    ingest.write(chunks)
                    ingest.commit()

        with TaskGroup() as group:
            for number in range(3):
                group.start(copy, number)
        assert all(store.exists("within/b", content.descriptor) for content in contents)


def test_skopeo_finds_what_was_stored(registry: Registry, skopeo: Skopeo) -> None:
    built = image("skopeo", layers=(1000, 2_000_000))
    with Http() as http:
        store = RegistryStore(registry.host, http)
        fill(store, built, "skopeo", "1")
        signed = signature(built)
        fill(store, signed, "skopeo")
        assert store.referrers("skopeo", built.digest)[0].digest == signed.digest
    shown = skopeo("inspect", "--raw", "--tls-verify=false", f"docker://{registry.host}/skopeo:1")
    assert shown.stdout.encode() == built.manifest.raw
    skopeo(
        "copy",
        "--src-tls-verify=false",
        f"docker://{registry.host}/skopeo:1",
        f"docker://{registry.host}/again:1",
        "--dest-tls-verify=false",
    )
    with Http() as http:
        assert RegistryStore(registry.host, http).resolve(Name("again", "1")) == built.descriptor
