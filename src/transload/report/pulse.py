"""Calls a function every few seconds, in a thread of its own, until it is stopped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable

from transload.clock import SYSTEM_CLOCK, Clock


class Pulse:
    """Calls `beat` after `first_s`, then every `every_s` seconds. If no thread can be started, it never does."""

    def __init__(
        self, beat: Callable[[], None], every_s: float, *, first_s: float | None = None, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._beat = beat
        self._every_s = every_s
        self._first_s = every_s if first_s is None else first_s
        self._clock = clock
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        with contextlib.suppress(RuntimeError):  # the operating system has no more threads to give
            thread.start()
            self._thread = thread

    def stop(self) -> None:
        """Stop. A beat that is running ends first, unless it is the caller."""
        self._ended.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        self._clock.sleep_s(self._first_s, self._ended)
        while not self._ended.is_set():
            self._beat()
            self._clock.sleep_s(self._every_s, self._ended)
