"""Flushing behind the writers: the disk works while bytes still come, and a crash costs little to be checked again."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from transload.errors import LocalError
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
