"""Who reads together in a tree of targets: those that the source feeds, and those that one target feeds."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from transload.planning.plan import Share
from transload.transfer.sharing import SharedReading, SpoolRoom
from transload.values import evolve


class Rings:
    """The shared readings of a run. `feeds` says for each of the `targets` which other one feeds it; None: the source.

    Leave the block when all runs have ended.
    """

    def __init__(self, feeds: Sequence[int | None], targets: int, room: SpoolRoom) -> None:
        self._feeds = tuple(feeds) or (None,) * targets
        givers = tuple(dict.fromkeys(self._feeds))
        part = evolve(room, bytes=room.bytes // len(givers), blobs=room.blobs // len(givers))
        self._members = {giver: [at for at in range(targets) if self._feeds[at] == giver] for giver in givers}
        self._readings = {giver: SharedReading(len(self._members[giver]), part) for giver in givers}
        self._ending = ExitStack()

    def __enter__(self) -> Rings:
        for reading in self._readings.values():
            self._ending.enter_context(reading)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    def giver(self, number: int) -> int | None:
        """The target that feeds this one; None for the source."""
        return self._feeds[number]

    def of(self, number: int) -> SharedReading:
        """What this target reads together with others."""
        return self._readings[self._feeds[number]]

    def place(self, number: int) -> int:
        """The number of this target there."""
        return self._members[self._feeds[number]].index(number)

    @property
    def read_again(self) -> Share:
        """The blobs that were read once more from where they were read, all together."""
        shares = [reading.read_again for reading in self._readings.values()]
        return Share(sum(share.blobs for share in shares), sum(share.bytes for share in shares))
