"""Threads that end before their parent, and one token that asks all of them to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from transload.errors import Interrupted


class Cancellation:
    """Asked once, seen by everybody. `wake` ends sleeps at once."""

    def __init__(self) -> None:
        self.wake = threading.Event()

    def cancel(self) -> None:
        """Ask everybody to stop at the next safe point."""
        self.wake.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked."""
        return self.wake.is_set()

    def check(self) -> None:
        """Raises `Interrupted` if somebody asked; called at safe points."""
        if self.cancelled:
            raise Interrupted("interrupted")


class Nursery:
    """`with Nursery() as nursery: nursery.start(work)`: leaving the block waits for every thread.

    The first exception of a child (or of the block) cancels the others, and is raised when all have ended.
    """

    def __init__(self, cancellation: Cancellation | None = None) -> None:
        self.cancellation = cancellation or Cancellation()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> Nursery:
        return self

    def start(self, work: Callable[..., object], *arguments: Any) -> None:
        """Run `work(*arguments)` in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(work, arguments), name=work.__name__, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            with self._lock:
                if self._error is None:
                    self._error = error
            self.cancellation.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancellation.cancel()
        for thread in self._threads:
            while thread.is_alive():
                thread.join(0.5)  # a bounded wait, since Windows delivers Ctrl-C only between waits
        if error is None and self._error is not None:
            raise self._error
