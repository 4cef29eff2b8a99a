"""Graphs of manifests: read once, walked children first, bounded in depth and number."""

import gc
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transload import graph
from transload.errors import LimitExceeded, ManifestUnknown
from transload.graph import Node, grow, walk
from transload.limits import INDEX_DEPTH
from transload.oci import Descriptor, Digest, Manifest
from transload.testing.images import Built, image, index

LEAVES = [image(f"leaf {number}", ()) for number in range(4)]


class Library:
    """Manifests by digest, and how often each was fetched."""

    def __init__(self, root: Built) -> None:
        self.root = root.manifest
        self.fetched: Counter[Digest] = Counter()
        self._manifests: dict[Digest, Manifest] = {}
        self._keep(root)

    def _keep(self, built: Built) -> None:
        if built.digest not in self._manifests:
            self._manifests[built.digest] = built.manifest
            for child in built.children:
                self._keep(child)

    def fetch(self, descriptor: Descriptor) -> Manifest:
        self.fetched[descriptor.digest] += 1
        return self._manifests[descriptor.digest]

    def grow(self, **more: object) -> Node:
        return grow(self.root, self.fetch, **more)  # type: ignore[arg-type]


def digests(nodes: object) -> list[Digest]:
    return [node.manifest.digest for node in nodes]  # type: ignore[attr-defined]


def test_an_image_is_a_graph_of_one() -> None:
    library = Library(LEAVES[0])
    assert digests(walk(library.grow())) == [LEAVES[0].digest]
    assert not library.fetched


def test_children_come_before_their_parents() -> None:
    inner = index(LEAVES[:2])
    root = index([LEAVES[2], inner])
    assert digests(walk(Library(root).grow())) == [
        LEAVES[2].digest,
        LEAVES[0].digest,
        LEAVES[1].digest,
        inner.digest,
        root.digest,
    ]


def test_what_is_not_kept_is_not_read() -> None:
    library = Library(index(LEAVES))
    kept = {LEAVES[1].digest}
    root = library.grow(keep=lambda child: child.digest in kept)
    assert digests(walk(root)) == [LEAVES[1].digest, library.root.digest]
    assert set(library.fetched) == kept


def test_what_is_not_entered_is_left_out_unless_another_way_leads_to_it() -> None:
    left, right = index([LEAVES[0], LEAVES[1]]), index([LEAVES[1], LEAVES[2]])
    root = index([left, right])
    grown = Library(root).grow()
    walked = digests(walk(grown, lambda node: node.manifest.digest != left.digest))
    assert walked == [LEAVES[1].digest, LEAVES[2].digest, right.digest, root.digest]


def test_as_deep_as_allowed_and_no_deeper() -> None:
    built = LEAVES[0]
    for _ in range(INDEX_DEPTH):
        built = index([built])
    assert len(list(walk(Library(built).grow()))) == INDEX_DEPTH + 1
    with pytest.raises(LimitExceeded) as caught:
        Library(index([built])).grow()
    assert caught.value.subject == index([built]).digest


def test_as_many_as_allowed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "IMAGE_MANIFESTS", 3)
    assert len(list(walk(Library(index(LEAVES[:3])).grow()))) == 4
    library = Library(index(LEAVES))
    with pytest.raises(LimitExceeded):
        library.grow()
    assert library.fetched.total() == 3


def test_as_much_memory_as_allowed_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    built = index(LEAVES[:3])
    needed = sum(each.manifest.weight for each in built.walk())
    monkeypatch.setattr(graph, "IMAGE_MANIFESTS_BYTES", needed)
    assert len(list(walk(Library(built).grow()))) == 4
    monkeypatch.setattr(graph, "IMAGE_MANIFESTS_BYTES", needed - 1)
    with pytest.raises(LimitExceeded, match="take more than"):
        Library(built).grow()


def test_what_a_part_gives_back_can_be_taken_by_another() -> None:
    one = LEAVES[0].manifest
    whole = graph.Allowance("a run", one.weight)
    part, other = (graph.Allowance("an image", 2 * one.weight, within=whole) for _ in range(2))
    assert part.take(one) is one
    with pytest.raises(LimitExceeded, match="of a run"):
        other.take(one)
    part.settle(0)
    assert other.take(one) is one


def test_what_reading_raises_passes_through() -> None:
    def fetch(_: Descriptor) -> Manifest:
        raise ManifestUnknown("gone")

    with pytest.raises(ManifestUnknown):
        grow(index(LEAVES).manifest, fetch)


@st.composite
def graphs(draw: st.DrawFn) -> Built:
    """Any mixture of indexes of earlier things, with repetitions."""
    things = list(LEAVES)
    for picks in draw(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), max_size=5)):
        things.append(index([things[pick % len(things)] for pick in picks]))
    return things[-1]


@given(graphs())
def test_every_manifest_is_read_once_and_walked_once_children_first(root: Built) -> None:
    library = Library(root)
    nodes = list(walk(library.grow()))
    order = {node.manifest.digest: place for place, node in enumerate(nodes)}
    assert len(order) == len(nodes)
    assert set(order) == {built.digest for built in root.walk()}
    assert all(count == 1 for count in library.fetched.values())
    for node in nodes:
        assert all(order[child.digest] < order[node.manifest.digest] for child in node.manifest.manifests)
    assert nodes[-1].manifest is root.manifest


def test_growing_and_walking_leave_no_garbage_to_search_for() -> None:
    library = Library(index([LEAVES[0], index(LEAVES[1:])]))
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            assert len(list(walk(library.grow()))) == 6
        assert gc.collect() == 0
    finally:
        gc.enable()
