"""Whatever bytes a bundle is made of, reading it ends, soon, with content that is right or an error of ours."""

import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.bundle.packing import contents_of, joined, pack, saved
from transload.bundle import BundleStore, ExtraFile, lay_out
from transload.bundle.format.blueprint import head, index_of
from transload.bundle.format.tarheader import header
from transload.bundle.reading.extras import extract_extras
from transload.errors import TransloadError
from transload.oci import Digest, Name
from transload.testing.images import image, multi_platform
from transload.testing.reading import read

IMAGES = {
    Name("acme/app", "1"): image("fuzz", layers=(500, 3000)),
    Name("acme/multi", "1"): multi_platform("fuzz", (50,)),
}
MOST_BYTES = 16 << 20
MOST_S = 5.0


def made() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "licence").write_bytes(b"may be used")
        return joined(pack(Path(folder) / "b", IMAGES, extras=(ExtraFile.of(Path(folder) / "licence"),))[1])


WHOLE = made()


def read_everything(folder: Path) -> None:
    """All that can be done with a bundle; content that comes out must be right or be found wrong by its digest."""
    try:
        store = BundleStore(folder / "b")
    except TransloadError:
        return
    proved = {each.subject for each in store.check() if each.error is None}
    for ask in (lambda: store.referrers("", Digest.of(b"")), lambda: extract_extras(store, folder / "out")):
        _try(ask)
    for repository in store.repositories():
        for tag in store.tags(repository):
            _try(partial(store.fetch, Name(repository, tag)))
    for blob in store.ledger.blobs:
        raw = _try(partial(read, store, "", blob.descriptor))
        if raw is not None:
            assert len(raw) == blob.size
            assert blob.path not in proved or Digest.of(raw) == blob.digest


def _try(ask: Callable[[], Any]) -> Any:
    try:
        return ask()
    except TransloadError:
        return None


def bounded(volumes: list[bytes]) -> None:
    started = time.process_time()
    tracemalloc.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            for number, content in enumerate(volumes, 1):
                (Path(folder) / (f"b.{number:03}.tar" if len(volumes) > 1 else "b.tar")).write_bytes(content)
            read_everything(Path(folder))
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    assert time.process_time() - started < MOST_S


@given(st.binary(max_size=3000))
def test_arbitrary_bytes(content: bytes) -> None:
    bounded([content])


@given(st.binary(max_size=3000), st.integers(0, 3000))
def test_arbitrary_bytes_behind_a_right_beginning(content: bytes, kept: int) -> None:
    bounded([WHOLE[:kept] + content])


places = st.integers(0, len(WHOLE) - 1) | st.integers(0, 9000)
changes = st.one_of(
    st.tuples(st.just("flip"), places, st.integers(1, 255)),
    st.tuples(st.just("cut"), places, st.integers(1, 2000)),
    st.tuples(st.just("repeat"), places, st.integers(1, 2000)),
    st.tuples(st.just("blank"), places, st.integers(1, 2000)),
    st.tuples(st.just("end"), places, st.just(0)),
)


@settings(max_examples=150)
@given(st.lists(changes, min_size=1, max_size=3))
def test_mutations_of_a_whole_bundle(mutations: list[tuple[str, int, int]]) -> None:
    stream = bytearray(WHOLE)
    for kind, place, count in mutations:
        if kind == "flip":
            stream[place : place + 1] = bytes([stream[place] ^ count]) if place < len(stream) else b""
        elif kind == "cut":
            del stream[place : place + count]
        elif kind == "repeat":
            stream[place:place] = stream[place : place + count]
        elif kind == "blank":
            stream[place : place + count] = bytes(len(stream[place : place + count]))
        else:
            del stream[place:]
    bounded([bytes(stream)])


@given(st.lists(st.tuples(places, places), min_size=2, max_size=5))
def test_volumes_that_do_not_belong_together(pieces: list[tuple[int, int]]) -> None:
    bounded([WHOLE[min(pair) : max(pair)] for pair in pieces])


odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(1 << 70), 1 << 70),
    st.floats(),
    st.text(max_size=5),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 300), max_size=3),
)


@settings(max_examples=150)
@given(st.data())
def test_ledgers_with_anything_in_any_place(data: st.DataObject) -> None:
    """Written as ledgers are and in its place, so that what is wrong is found by looking at the values."""
    blueprint = lay_out(contents_of(IMAGES), None)
    document = json.loads(blueprint.ledger.encode())
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
        else:
            place[key] = data.draw(odd)
            break
    raw = json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"
    bounded([head(index_of(blueprint.ledger), raw, None, saved(IMAGES)) + WHOLE[len(blueprint.head) :]])


@pytest.mark.parametrize("name", ["index.json", "transload/ledger.json"])
@pytest.mark.parametrize("size", [32 << 20, 64 << 20, 1 << 32])
def test_a_size_that_is_promised_takes_no_memory(name: str, size: int) -> None:
    place = WHOLE.index(name.encode())
    bounded([WHOLE[:place] + header(name, size) + WHOLE[place + 512 :]])
