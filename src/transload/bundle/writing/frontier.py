"""The frontier of a bundle that is being made: which members are verified, and how far the bundle has no gap.

Writers report to the frontier. It tells the sums how far they may go, and the flusher how much there is to flush.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Sequence

from transload.bundle.format.blueprint import starts
from transload.bundle.format.entries import Stored
from transload.bundle.writing.sums import Sums
from transload.errors import LocalError
from transload.oci import Digest
from transload.threads import begin

FLUSH_BYTES = 128 << 20


class Flusher:
    """Calls `sync` in its own thread after every `flush_bytes`. The next `wrote` raises what `sync` raised."""

    def __init__(self, sync: Callable[[], None], flush_bytes: int = FLUSH_BYTES) -> None:
        self._sync = sync
        self._flush_bytes = flush_bytes
        self._waiting_bytes = 0
        self._stopped = False
        self._error: Exception | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="flusher", daemon=True)

    def start(self) -> None:
        """Start the thread; it ends with `stop`. If no thread can be started, only a crash costs more."""
        with contextlib.suppress(LocalError):
            begin(self._thread)

    def wrote(self, size: int) -> None:
        """Note that `size` more bytes are finished. Raises what `sync` raised."""
        with self._changed:
            if self._error is not None:
                raise self._error
            self._waiting_bytes += size
            self._changed.notify()

    def stop(self) -> None:
        """End the thread after its current flush; `sync` is not called again."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            while self._await():
                self._sync()
        except Exception as error:  # any error, also a bug, is raised in the thread that waits
            self._error = error

    def _await(self) -> bool:
        with self._changed:
            while self._waiting_bytes < self._flush_bytes and not self._stopped:
                self._changed.wait()
            self._waiting_bytes = 0
            return not self._stopped


class Frontier:
    """Follows `members`, in the order of the stream, which ends at `end`. An earlier run verified those `proved`."""

    def __init__(
        self, *, members: Sequence[Stored], end: int, proved: Iterable[Digest], sums: Sums, flusher: Flusher
    ) -> None:
        self._members = members
        self._end = end
        self._proved = set(proved)
        self._sums = sums
        self._flusher = flusher
        self._reached = 0  # how many members are verified without a gap, from the first on
        self._started = False
        self._lock = threading.Lock()

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._proved

    def start(self, proved: Iterable[Digest]) -> None:
        """Begin: everything before the first member is written, and so are these members."""
        with self._lock:
            self._proved.update(proved)
            self._started = True
            self._sums.start()
            self._flusher.start()
            self._advance()

    def moved(self, member: Stored, written: int) -> None:
        """Note that `written` bytes of a member are written, but not verified yet."""
        with self._lock:
            if self._started and self._reached < len(self._members) and self._members[self._reached] is member:
                self._sums.advance(starts(member), member.offset + written)

    def dropped(self, member: Stored) -> None:
        """Note that the written bytes of a member are wrong."""
        self._sums.retract(starts(member))

    def finished(self, *members: Stored) -> None:
        """Note that members are verified. Raises what flushing has raised since."""
        with self._lock:
            self._proved.update(member.key for member in members)
            self._advance()
        self._flusher.wrote(sum(member.size for member in members))

    def _advance(self) -> None:
        while self._reached < len(self._members) and self._members[self._reached].key in self._proved:
            self._reached += 1
        if self._started:
            offset = starts(self._members[self._reached]) if self._reached < len(self._members) else self._end
            self._sums.advance(offset, offset)

    def close(self, end: int) -> None:
        """Note that everything up to `end` is written and final."""
        self._sums.advance(end, end)
