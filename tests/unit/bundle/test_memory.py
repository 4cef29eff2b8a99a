"""Laying out a bundle of many images takes memory for what it states, not for several copies of its text."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.bundle.packing import contents_of
from transload.bundle import BundleWriter, lay_out
from transload.bundle.format import entries
from transload.bundle.format import ledger as ledgers
from transload.bundle.format.ledger import Ledger
from transload.errors import LimitExceeded
from transload.oci import Name
from transload.testing.images import image
from transload.values import evolve

CONTENTS = contents_of({Name(f"app{number}", "v1"): image(f"app{number}", [10] * 30) for number in range(40)})
TEXT = len(lay_out(CONTENTS, None).ledger.encode())


def _peak(work: Callable[[], object]) -> tuple[int, int]:
    """The most that `work` took, and what is left of it while its result is kept; in bytes."""
    tracemalloc.start()
    try:
        result = work()
        left, most = tracemalloc.get_traced_memory()
        del result
    finally:
        tracemalloc.stop()
    return most, left


def test_laying_out_never_holds_the_text_of_the_ledger() -> None:
    def work() -> object:
        return lay_out(evolve(CONTENTS), None)

    work()  # what is made once, such as compiled patterns, does not count
    most, left = _peak(work)
    assert left < 1.5 * TEXT
    assert most < 3 * TEXT, "seven times as much, when the text was in memory several times"


def test_writing_the_head_takes_no_more(tmp_path: Path) -> None:
    blueprint = lay_out(CONTENTS, None)

    def work(name: str) -> object:
        with BundleWriter(tmp_path / name, blueprint) as writer:
            writer.start()
            return writer

    work("first")
    most, _ = _peak(lambda: work("second"))
    assert most < 3 * TEXT + (9 << 20), "the threads that hash have buffers of four megabytes"


@pytest.mark.parametrize("over", ["MEMBERS", "LEDGER_BYTES", "LEDGER_VALUES", "STREAM_BYTES"])
def test_a_ledger_that_readers_refuse_is_not_laid_out(monkeypatch: pytest.MonkeyPatch, over: str) -> None:
    raw = lay_out(CONTENTS, None).ledger.encode()
    monkeypatch.setattr(entries if over in {"MEMBERS", "STREAM_BYTES"} else ledgers, over, 39)
    with pytest.raises(LimitExceeded) as read:
        Ledger.decode(raw)
    with pytest.raises(LimitExceeded) as written:
        lay_out(CONTENTS, None)
    assert type(read.value) is type(written.value)
