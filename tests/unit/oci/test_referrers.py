"""Referrers of a store whose index changes for a long time."""

from __future__ import annotations

import json

from transload.errors import BlobUnknown
from transload.limits import REFERRERS_BYTES
from transload.oci import Descriptor, Digest, Manifest
from transload.oci.referrers import ListedReferrers

INDEX = "application/vnd.oci.image.index.v1+json"


def manifest(number: int, note: str = "") -> Manifest:
    document = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [],
        "annotations": {"number": str(number), "note": note},
    }
    return Manifest.parse(json.dumps(document).encode(), INDEX)


class Store:
    """An index with one tag, and every manifest that the tag ever stood for."""

    def __init__(self) -> None:
        self.manifests: dict[Digest, Manifest] = {}
        self.listed: list[Descriptor] = []
        self.reads = 0
        self.referrers = ListedReferrers(lambda: self.listed, self.read)

    def read(self, descriptor: Descriptor) -> Manifest:
        self.reads += 1
        return self.manifests[descriptor.digest]

    def move_tag(self, manifest: Manifest) -> None:
        self.manifests[manifest.digest] = manifest
        self.listed = [manifest.descriptor]


def test_a_tag_that_moves_for_years_never_reaches_the_limit_of_memory() -> None:
    store, note = Store(), "x" * (1 << 20)
    for number in range(REFERRERS_BYTES // len(note) + 2):
        store.move_tag(manifest(number, note))
        assert not store.referrers.refers(store.listed[0])
        assert store.referrers.referrers("", store.listed[0].digest) == ()


def test_what_is_listed_is_read_once() -> None:
    store = Store()
    store.move_tag(manifest(1))
    for _ in range(3):
        assert list(store.referrers.independent(store.listed)) == store.listed
        assert store.referrers.referrers("", store.listed[0].digest) == ()
        assert not store.referrers.refers(store.listed[0])
    assert store.reads == 1


def test_what_is_listed_no_longer_is_forgotten() -> None:
    store = Store()
    for number in (1, 2, 1):
        store.move_tag(manifest(number))
        store.referrers.referrers("", store.listed[0].digest)
    assert store.reads == 3


def test_what_is_absent_may_come_without_a_change_of_the_list() -> None:
    """A folder may hold an index in part; the rest may be brought later, and the list stays as it is."""
    store = Store()
    subject = manifest(1)
    referring = {**json.loads(manifest(2).raw), "subject": subject.descriptor.to_json()}
    late = Manifest.parse(json.dumps(referring).encode(), INDEX)
    outer = {**json.loads(manifest(3).raw), "manifests": [late.descriptor.to_json()]}
    store.move_tag(Manifest.parse(json.dumps(outer).encode(), INDEX))

    def read(descriptor: Descriptor) -> Manifest:
        if descriptor.digest not in store.manifests:
            raise BlobUnknown("not there yet")
        return store.read(descriptor)

    referrers = ListedReferrers(lambda: store.listed, read)
    assert referrers.referrers("a", subject.digest) == ()
    store.manifests[late.digest] = late
    assert [found.digest for found in referrers.referrers("a", subject.digest)] == [late.digest]
    store.move_tag(manifest(4))
    assert referrers.referrers("a", subject.digest) == ()
