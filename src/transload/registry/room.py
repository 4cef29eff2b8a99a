"""Blocks of memory for what came before the bytes in front of it: so many for the process, used again and again."""

from __future__ import annotations

import threading

from transload.limits import SEGMENTS_BYTES

BLOCK = 256 << 10
"""Bytes of a block, and so the largest piece that is handed on."""


class Room:
    """At most `bytes` in blocks, for several readings. When the last one leaves, the memory is free again."""

    def __init__(self, most: int = SEGMENTS_BYTES) -> None:
        self._most = most // BLOCK
        self._readings = 0
        self._used = 0
        self._free: list[bytearray] = []
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Blocks in use now, with those beyond the room."""
        return self._used

    @property
    def share(self) -> int:
        """Bytes for one reading, if all of them get the same."""
        return self._most * BLOCK // max(1, self._readings)

    def enter(self) -> None:
        """A reading begins."""
        with self._changed:
            self._readings += 1

    def leave(self) -> None:
        """A reading ended, and gave all its blocks back."""
        with self._changed:
            self._readings -= 1
            if not self._readings:
                self._free.clear()

    def take(self, *, beyond: bool = False) -> bytearray | None:
        """A block; None if all are in use, unless it is needed to get on at all (`beyond`)."""
        with self._changed:
            if self._used >= self._most and not beyond:
                return None
            self._used += 1
            return self._free.pop() if self._free else bytearray(BLOCK)

    def await_block(self, seconds: float) -> None:
        """Wait until a block may be free, but no longer than this."""
        with self._changed:
            if self._used >= self._most:
                self._changed.wait(seconds)

    def give(self, *blocks: bytearray) -> None:
        """Blocks that are not needed any more."""
        with self._changed:
            self._used -= len(blocks)
            self._free += blocks[: max(0, self._most - self._used - len(self._free))]
            self._changed.notify_all()


ROOM = Room()
"""That of this process."""
