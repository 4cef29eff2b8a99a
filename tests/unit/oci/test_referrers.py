"""Referrers of a store whose index changes for a long time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tests.unit.registry.lines import SimulatedClock
from transload.errors import BlobUnknown
from transload.limits import REFERRERS_BYTES
from transload.oci import Descriptor, Digest, Manifest
from transload.oci.referrers import ListedReferrers
from transload.testing.images import image

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

    def read(self, descriptor: Descriptor) -> bytes:
        self.reads += 1
        return self.manifests[descriptor.digest].raw

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

    def read(descriptor: Descriptor) -> bytes:
        if descriptor.digest not in store.manifests:
            raise BlobUnknown("not there yet")
        return store.read(descriptor)

    clock = SimulatedClock()
    referrers = ListedReferrers(lambda: store.listed, read, clock)
    assert referrers.referrers("a", subject.digest) == ()
    store.manifests[late.digest] = late
    assert [found.digest for found in referrers.referrers("a", subject.digest)] == [late.digest]
    store.move_tag(manifest(4))
    assert referrers.referrers("a", subject.digest) == ()


def test_thousands_of_images_are_looked_through_once() -> None:
    """What is asked for each image does not look at all the others again, also if a part of one is absent."""
    store = Store()
    outer = {**json.loads(manifest(0).raw), "manifests": [manifest(1).descriptor.to_json()]}
    store.move_tag(Manifest.parse(json.dumps(outer).encode(), INDEX))
    images = [manifest(number) for number in range(2, 302)]
    store.manifests |= {each.digest: each for each in images}
    looked = list[Digest]()

    def read(descriptor: Descriptor) -> bytes:
        looked.append(descriptor.digest)
        if descriptor.digest not in store.manifests:
            raise BlobUnknown("not there")
        return store.manifests[descriptor.digest].raw

    listed = (*store.listed, *(each.descriptor for each in images))
    referrers = ListedReferrers(lambda: listed, read, SimulatedClock())
    for each in images:
        assert referrers.referrers("", each.digest) == ()
    assert len(looked) == len(set(looked)) - 1 + len(images)  # the absent part is looked for each time


def test_what_is_absent_is_not_looked_for_all_the_time() -> None:
    clock, asked = SimulatedClock(), 0
    parts = [manifest(number).descriptor.to_json() for number in range(5)]
    outer = Manifest.parse(json.dumps({**json.loads(manifest(9).raw), "manifests": parts}).encode(), INDEX)

    def read(descriptor: Descriptor) -> bytes:
        nonlocal asked
        if descriptor.digest == outer.digest:
            return outer.raw
        asked += 1
        clock.now_s += 0.01
        raise BlobUnknown("not there")

    referrers = ListedReferrers(lambda: [outer.descriptor], read, clock)
    for _ in range(100):
        referrers.referrers("", outer.digest)
    assert asked == 2 * len(parts)
    clock.now_s += 1.0
    referrers.referrers("", outer.digest)
    assert asked == 3 * len(parts)


def test_a_subject_is_found_however_its_key_is_written() -> None:
    store, subject = Store(), manifest(1)
    for number, key in enumerate(("subject", "\\u0073ubject")):
        document = json.loads(image(number, layers=(10,)).manifest.raw) | {"key": subject.descriptor.to_json()}
        raw = json.dumps(document).replace('"key"', f'"{key}"').encode()
        referring = Manifest.parse(raw)
        store.move_tag(referring)
        assert [each.digest for each in store.referrers.referrers("", subject.digest)] == [referring.digest]


def test_many_are_read_together_and_alone_only_if_that_fails() -> None:
    store, subject = Store(), manifest(0)
    listed = [manifest(1), manifest(2), image(3, layers=(10,)).manifest, manifest(4)]
    document = json.loads(listed[0].raw) | {"subject": subject.descriptor.to_json()}
    listed.append(Manifest.parse(json.dumps(document).encode(), INDEX))
    store.manifests = {each.digest: each for each in listed}
    together = list[Digest]()

    def read_many(descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        for place, descriptor in enumerate(descriptors):
            together.append(descriptor.digest)
            raw = store.manifests[descriptor.digest].raw
            yield (raw, None, raw, raw[:-1], raw)[place]  # one that cannot be read so, and one that is cut

    descriptors = tuple(each.descriptor for each in listed)
    referrers = ListedReferrers(lambda: descriptors, store.read, read_many=read_many)
    for _ in range(2):
        assert [each.digest for each in referrers.referrers("", subject.digest)] == [listed[-1].digest]
    assert together == [each.digest for each in listed]
    assert store.reads == 2


def test_one_that_claims_a_huge_size_is_read_alone() -> None:
    store, small = Store(), manifest(1)
    store.manifests[small.digest] = small
    claimed = (Descriptor(INDEX, small.digest, 1 << 50),)

    def read_many(descriptors: Sequence[Descriptor]) -> Iterator[bytes | None]:
        assert not descriptors
        return iter(())

    referrers = ListedReferrers(lambda: claimed, store.read, read_many=read_many)
    assert referrers.referrers("", small.digest) == ()
    assert store.reads == 1
