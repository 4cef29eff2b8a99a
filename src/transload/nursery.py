"""Threads that end before their parent, and one token that asks all of them to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from transload.errors import Interrupted

Given = TypeVar("Given")
Result = TypeVar("Result")


class Cancellation:
    """Asked once, seen by everybody. `wake` ends sleeps at once."""

    def __init__(self) -> None:
        self.wake = threading.Event()
        self._within: list[Cancellation] = []

    def cancel(self) -> None:
        """Ask everybody to stop at the next safe point."""
        self.wake.set()
        for inner in self._within:
            inner.cancel()

    @classmethod
    def within(cls, outer: Cancellation) -> Cancellation:
        """A token for a part of the work: stopping `outer` stops the part, stopping the part is its own affair."""
        inner = cls()
        outer._within.append(inner)
        if outer.cancelled:
            inner.cancel()
        return inner

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
        self.cancellation = Cancellation.within(cancellation) if cancellation else Cancellation()
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


def in_parallel(
    work: Callable[[Given], Result], given: Iterable[Given], threads: int, cancellation: Cancellation | None = None
) -> list[Result]:
    """`[work(one) for one in given]` on several threads, results in the order given.

    The first exception stops the taking of further work and is raised when all threads have ended.
    """
    queue = list(enumerate(given))[::-1]
    results: dict[int, Result] = {}

    def take(cancelled: Cancellation) -> None:
        while not cancelled.cancelled:
            try:
                place, one = queue.pop()
            except IndexError:
                return
            results[place] = work(one)

    total = len(queue)
    with Nursery(cancellation) as nursery:
        for _ in range(min(threads, total)):
            nursery.start(take, nursery.cancellation)
    if len(results) < total:
        raise Interrupted("interrupted")
    return [results[place] for place in range(total)]
