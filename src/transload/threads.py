"""Threads that end before their parent, and a token that asks all of them to stop."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from transload.allowance import threads_affordable
from transload.errors import Interrupted, LocalError

Item = TypeVar("Item")
Result = TypeVar("Result")

_TICK_S = 0.5
AHEAD = threading.local()
"""`AHEAD.now` is True in a thread that carries out steps before their plan is complete; planning did not ask for it."""
_PATIENCE_S = 1.0  # time for work to end by itself, such as the last request of an upload


class _Wake(threading.Event):
    """An event that a signal handler may set in the middle of `wait` or `set`; it cannot be taken back.

    The standard one has a lock. A signal that comes while its thread holds it makes that thread wait for itself.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_set = False
        self._gate = threading.Lock()  # open once the event is set
        self._gate.acquire()

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        with contextlib.suppress(RuntimeError):  # open already
            self._gate.release()

    def wait(self, timeout: float | None = None) -> bool:
        ending = None if timeout is None else time.monotonic() + timeout
        while not self._is_set:
            left_s = _TICK_S if ending is None else min(_TICK_S, ending - time.monotonic())
            if left_s <= 0:
                break
            # In steps: an exception between these two lines would leave the gate closed to others.
            if self._gate.acquire(timeout=left_s):
                self.set()
        return self._is_set


class Cancellation:
    """A request to stop that all threads can see. `wake` ends their sleeps at once.

    It cannot be taken back: make a new one for each run. Ctrl-C in the thread that waits for a run cancels it too.
    """

    def __init__(self) -> None:
        self.wake: threading.Event = _Wake()
        self._outer: Cancellation | None = None  # kept alive, because it passes on requests from outside
        self._within: list[weakref.ref[Cancellation]] = []  # parts that have ended disappear from this list
        self._rousing: list[weakref.WeakMethod[Callable[[], None]]] = []

    def cancel(self) -> None:
        """Ask all threads to stop at the next safe point. A signal handler may call it, at any moment."""
        self.wake.set()
        for part in tuple(self._within):
            inner = part()
            if inner is not None:
                inner.cancel()

    def cancel_all(self) -> None:
        """Cancel the whole work that this is a part of, as Ctrl-C asks for."""
        whole = self
        while whole._outer is not None:
            whole = whole._outer
        whole.cancel()

    def on_silence(self, rouse: Callable[[], None]) -> None:
        """Call `rouse` when cancelled work waits for something that `wake` cannot end, such as a silent peer.

        `rouse` is a method; it is forgotten with its object. It may be called repeatedly, from any thread.
        """
        self._rousing.append(weakref.WeakMethod(rouse))

    def end_silence(self) -> None:
        """End the waits of cancelled work. The thread that waits for the end of that work calls this."""
        if self.cancelled:
            for reference in self._rousing:
                rouse = reference()
                if rouse is not None:
                    rouse()
        if self._outer is not None:
            self._outer.end_silence()

    @classmethod
    def within(cls, outer: Cancellation) -> Cancellation:
        """A token for a part of the work. Cancelling `outer` cancels the part, but not the other way round."""
        inner = cls()
        inner._outer = outer
        outer._within.append(weakref.ref(inner, outer._within.remove))
        if outer.cancelled:
            inner.cancel()
        return inner

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self.wake.is_set()

    def check(self) -> None:
        """Raise `Interrupted` if `cancel` was called. Work calls this at safe points."""
        if self.cancelled:
            raise Interrupted("interrupted")


def begin(thread: threading.Thread) -> None:
    """Start a thread. Raises `LocalError` if the operating system gives no more threads."""
    try:
        thread.start()
    except RuntimeError as error:
        raise no_threads() from error


def no_threads() -> LocalError:
    """The error for a thread that cannot be started."""
    return LocalError(
        "the system gives no more threads",
        hint="raise the limit on processes (ulimit -u, pids.max of the container), or end other programs",
    )


class TaskGroup:
    """`with TaskGroup() as group: group.start(work)`: leaving the block waits for every thread.

    The first exception in a thread (or in the block) cancels the others, and is raised when all have ended.
    """

    def __init__(self, cancellation: Cancellation | None = None) -> None:
        self.cancellation = Cancellation.within(cancellation) if cancellation else Cancellation()
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None
        self._running: set[threading.Thread] = set()
        self._starting: set[threading.Thread] = set()
        self._ended = threading.Condition()

    def __enter__(self) -> TaskGroup:
        return self

    def start(self, work: Callable[..., object], *arguments: Any) -> None:
        """Run `work(*arguments)` in a thread of its own. Raises `LocalError` if the system gives no more threads."""
        thread = threading.Thread(target=self._run, args=(work, arguments), name=work.__name__, daemon=True)
        with self._ended:
            self._running.add(thread)
            self._starting.add(thread)
        try:
            begin(thread)
        except LocalError:
            with self._ended:
                self._running.discard(thread)
            raise
        finally:
            with self._ended:
                self._starting.discard(thread)
        self._threads.append(thread)

    def staff(self, count: int, work: Callable[..., object], *arguments: Any) -> None:
        """Run `work(*arguments)` in `count` threads; in fewer, or in this one, if the system gives no more.

        So it is too where open files or address space are scarce: whoever gets in then fails in the middle of its work.
        """
        allowed = min(count, threads_affordable(count))
        if allowed == 1 < count:
            work(*arguments)
            return
        for started in range(allowed):
            try:
                self.start(work, *arguments)
            except LocalError:
                if not started:
                    work(*arguments)
                return

    def _run(self, work: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        try:
            work(*arguments)
        except BaseException as error:
            with self._ended:
                if self._error is None:
                    self._error = error
            self.cancellation.cancel()
        finally:
            with self._ended:
                self._running.discard(threading.current_thread())
                self._ended.notify_all()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            self.cancellation.cancel_all()
        elif error is not None:
            self.cancellation.cancel()
        try:
            self._join()
        except BaseException:  # Ctrl-C while waiting: still wait for all threads
            self.cancellation.cancel_all()  # their waits may end only by the token of the whole work
            self._join()  # a second Ctrl-C leaves at once
            raise
        if error is None and self._error is not None:
            raise self._error

    def _join(self) -> None:
        # Not with `join`: up to Python 3.12, a join that Ctrl-C interrupts takes a running thread for ended.
        silent = 0
        with self._ended:
            while self._running:
                # A wait with a limit, because Windows delivers Ctrl-C only between waits.
                silent = 0 if self._ended.wait(_TICK_S) else silent + self.cancellation.cancelled
                self._bury()
                if silent * _TICK_S >= _PATIENCE_S:
                    self.cancellation.end_silence()
        for thread in self._threads:
            thread.join()  # this returns at once: the thread is about to exit

    def _bury(self) -> None:
        """Forget threads that ended without saying so, as one does when there is no memory even for that.

        One whose `start` has not returned is not alive either, at first.
        """
        for thread in [thread for thread in self._running - self._starting if not thread.is_alive()]:
            self._running.discard(thread)
            self._error = self._error or MemoryError()
            self.cancellation.cancel()


def in_parallel(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, cancellation: Cancellation | None = None
) -> list[Result]:
    """`[work(item) for item in items]` on several threads, with the results in the order of the items.

    After the first exception no further work begins; it is raised when all threads have ended.
    """
    queue = list(enumerate(items))[::-1]
    if not queue:
        return []
    results: dict[int, Result] = {}

    def take(cancelled: Cancellation) -> None:
        while not cancelled.cancelled:
            try:
                index, item = queue.pop()
            except IndexError:
                return
            results[index] = work(item)

    total = len(queue)
    with TaskGroup(cancellation) as group:
        group.staff(min(threads, total), take, group.cancellation)
    if len(results) < total:
        raise Interrupted("interrupted")
    return [results[index] for index in range(total)]
