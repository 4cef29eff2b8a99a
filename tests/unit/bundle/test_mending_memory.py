"""Many readers go through damage at once: the memory for making blocks again does not grow with their number."""

import threading
import tracemalloc
from pathlib import Path

from tests.unit.bundle.protecting import protected
from transload.bundle import BundleStore
from transload.oci import Name
from transload.testing.images import image

BLOCK = 1 << 20
READERS = 12


def test_blocks_are_made_again_one_at_a_time(tmp_path: Path) -> None:
    layers = (2_000_000,) * READERS
    protected(tmp_path / "b", 2, 13_000_000, {Name("a", "1"): image("large", layers=layers)}, block_bytes=BLOCK)
    (tmp_path / "b" / "b.001.tar").unlink()
    store = BundleStore(tmp_path / "b" / "b")
    ready = threading.Barrier(READERS + 1)
    made: list[int] = []
    mender = store.mender
    assert mender is not None

    def read(stripe: int) -> None:
        ready.wait()
        made.append(len(mender.block(1, stripe)))

    threads = [threading.Thread(target=read, args=(stripe,)) for stripe in range(READERS)]
    for thread in threads:
        thread.start()
    tracemalloc.start()
    ready.wait()
    for thread in threads:
        thread.join()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(made) == READERS
    assert peak < (8 + 1 + 8) * BLOCK  # what is kept, a block in each hand over, and one that is being made
