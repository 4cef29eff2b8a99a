"""The frontier of a bundle that is being made: which members are proved, and how far everything is there without a gap.

What writes tells it; it tells the sums how far they may go, and the flusher how much there is to flush.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

from transload.bundle.format.blueprint import starts
from transload.bundle.format.ledger import Stored
from transload.bundle.writing.flushing import Flusher
from transload.bundle.writing.sums import Sums
from transload.oci import Digest


class Frontier:
    """Over `members` in the order of the stream, which ends at `end`; `proved` are those that an earlier run proved."""

    def __init__(
        self, members: Sequence[Stored], end: int, proved: Iterable[Digest], sums: Sums, flusher: Flusher
    ) -> None:
        self._members = members
        self._end = end
        self._proved = set(proved)
        self._sums = sums
        self._flusher = flusher
        self._reached = 0  # how many members from the first one on are proved
        self._started = False
        self._lock = threading.Lock()

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._proved

    def start(self, proved: Iterable[Digest]) -> None:
        """Everything before the first member is written, and these members as well."""
        with self._lock:
            self._proved.update(proved)
            self._started = True
            self._sums.start()
            self._flusher.start()
            self._advance()

    def moved(self, member: Stored, written: int) -> None:
        """So many bytes of a member are written, and not proved yet."""
        with self._lock:
            if self._started and self._reached < len(self._members) and self._members[self._reached] is member:
                self._sums.advance(starts(member), member.offset + written)

    def dropped(self, member: Stored) -> None:
        """What was written of a member is wrong."""
        self._sums.retract(starts(member))

    def finished(self, member: Stored) -> None:
        """A member is proved. Raises what flushing raised meanwhile."""
        with self._lock:
            self._proved.add(member.digest)
            self._advance()
        self._flusher.wrote(member.size)

    def _advance(self) -> None:
        while self._reached < len(self._members) and self._members[self._reached].digest in self._proved:
            self._reached += 1
        if self._started:
            place = starts(self._members[self._reached]) if self._reached < len(self._members) else self._end
            self._sums.advance(place, place)

    def close(self, end: int) -> None:
        """Everything up to `end` is written and final."""
        self._sums.advance(end, end)
