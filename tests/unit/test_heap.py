"""Where many threads share one heap, and free memory goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

THREADS = """
import ctypes, threading
from transload.allowance import give_back, share_one_heap

{share}
turn = threading.Barrier(8)

def work():
    turn.wait()
    for size in range(1000, 200_000, 5000):
        blocks = [bytearray(size) for _ in range(20)]
    turn.wait()

threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
give_back()
ctypes.CDLL(None).malloc_stats()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap, or do not tell")
@pytest.mark.parametrize("share", [True, False])
def test_threads_share_one_heap(share: bool) -> None:
    program = THREADS.format(share="share_one_heap()" if share else "")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    heaps = sum(line.startswith("Arena ") for line in done.stderr.splitlines())
    assert (heaps == 1) is share
