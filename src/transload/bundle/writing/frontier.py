"""The frontier of a bundle that is being made: which members are proved, and how far everything is there without a gap.

What writes tells it; it tells the sums how far they may go, and the flusher how much there is to flush.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence

from transload.bundle.format.blueprint import starts
from transload.bundle.format.ledger import Stored
from transload.bundle.writing.sums import Sums
from transload.errors import LocalError
from transload.oci import Digest
from transload.threads import begin

FLUSH_BYTES = 128 << 20


class Flusher:
    """Calls `sync` in a thread of its own whenever so much was written; what it raises is raised by the next call."""

    def __init__(self, sync: Callable[[], None], flush_bytes: int = FLUSH_BYTES) -> None:
        self._sync = sync
        self._flush_bytes = flush_bytes
        self._waiting_bytes = 0
        self._stopped = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)

    def start(self) -> None:
        """Begin; the thread ends with `stop`. Without a thread to be had a crash costs more, and that is all."""
        with contextlib.suppress(LocalError):
            begin(self._thread)

    def wrote(self, size: int) -> None:
        """So many more bytes are finished."""
        with self._changed:
            if self._error is not None:
                raise self._error
            self._waiting_bytes += size
            self._changed.notify()

    def stop(self) -> None:
        """End the thread, after what it is doing; `sync` is not called again."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._await():
                self._sync()
        except Exception as error:  # whatever it is, a bug too: it is raised in the thread that waits
            self._error = error

    def _await(self) -> bool:
        with self._changed:
            while self._waiting_bytes < self._flush_bytes and not self._stopped:
                self._changed.wait()
            self._waiting_bytes = 0
            return not self._stopped


class Frontier:
    """Over `members` in the order of the stream, which ends at `end`; `proved` are those that an earlier run proved."""

    def __init__(
        self, *, members: Sequence[Stored], end: int, proved: Iterable[Digest], sums: Sums, flusher: Flusher
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
