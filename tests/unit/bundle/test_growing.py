"""Twice the images of a bundle take twice the work and memory, not four times: counted calls and bytes, not seconds."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.bundle.packing import contents_of, pack
from transload.app.baseline import inventory_of
from transload.bundle import BundleStore, Contents, lay_out
from transload.bundle.format.blueprint import listed
from transload.bundle.format.ledger import Ledger
from transload.bundle.reading.accounts import Accounts, saved_contradiction
from transload.oci import Name
from transload.testing.images import Built, image, signature

SMALL, LARGE = 30, 60


def images(number: int) -> dict[Name, Built]:
    """So many images with six blobs each of their own, and a signature of each tenth."""
    made = {Name(f"team{at % 7}/app", f"v{at}"): image(f"app{at}", [100] * 5) for at in range(number)}
    signed = {name: signature(built) for at, (name, built) in enumerate(made.items()) if at % 10 == 0}
    return made | {name.at(built.digest): built for name, built in signed.items()}


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, those written in C too."""
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def _laid_out(contents: Contents) -> object:
    return lay_out(contents, 40_000)


def _proved(store: BundleStore) -> object:
    accounts = Accounts(store)
    return [accounts.contradiction_in(entry) for entry in store.ledger.images], saved_contradiction(store)


def _checked(store: BundleStore) -> object:
    return [part.error for part in store.check()]


def _volumes(store: BundleStore) -> object:
    return [store.volumes_of(entry) for entry in store.ledger.images]


def test_laying_out_calls_twice_as_much_for_twice_the_images() -> None:
    """Offsets are computed until none changes, which can be once more."""
    few, many = (contents_of(images(number)) for number in (SMALL, LARGE))
    _laid_out(few)
    few, many = (contents_of(images(number)) for number in (SMALL, LARGE))
    assert calls(lambda: _laid_out(many)) < 2.5 * calls(lambda: _laid_out(few))


def _assumed(store: BundleStore) -> object:
    return inventory_of(store.ledger)


@pytest.mark.parametrize("work", [_proved, _checked, _volumes, _assumed])
def test_reading_calls_twice_as_much_for_twice_the_images(
    work: Callable[[BundleStore], object], tmp_path: Path
) -> None:
    for number in (SMALL, LARGE):
        pack(tmp_path / str(number), images(number), 200_000)
    work(BundleStore(tmp_path / str(SMALL)))
    few = calls(lambda: work(BundleStore(tmp_path / str(SMALL))))
    assert calls(lambda: work(BundleStore(tmp_path / str(LARGE)))) < 2.2 * few


def test_a_ledger_in_memory_takes_as_much_for_each_further_image() -> None:
    texts = [listed(contents_of(images(number))).encode() for number in (250, 500)]

    def kept(raw: bytes) -> int:
        tracemalloc.start()
        try:
            ledger = Ledger.decode(raw)
            left, _ = tracemalloc.get_traced_memory()
            assert ledger.images
            return left
        finally:
            tracemalloc.stop()

    kept(texts[0])
    few, many = map(kept, texts)
    assert (many - few) / 250 < 6_000, "bytes for an image with seven blobs"
