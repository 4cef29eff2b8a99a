"""Virtual time for real threads: one of them runs at a time, and time moves on when all of them wait.

A thread runs until it waits: for a lock, a condition, an event, a sleep or a wire. Then the next one that can go on
runs; if there is none, time jumps to the next thing that happens. So the order of everything is the same each time, no
wall time passes in waits, and the work between two waits takes no virtual time.

`Virtual.threading` has the names of the module `threading` that the program uses.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import threading
import types
from collections import deque
from collections.abc import Callable
from typing import Any

BEGAN_S = 1_700_000_000.0  # seconds since 1970: 20 seconds after a minute began


class Stuck(Exception):
    """Nothing can go on any more, or the virtual time is longer than it may be."""


class _Ended(SystemExit):
    """Ends a thread that still waits when the simulation is over."""


class _Fiber:
    """A thread as the simulation sees it. `go` is free when it may run."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.go = threading.Lock()
        self.go.acquire()
        self.turn = 0
        self.waits = False
        self.woken = False


class Virtual:
    """The clock, and who runs. It begins with the thread that makes it."""

    def __init__(self, *, began_s: float = BEGAN_S, longest_s: float = 1e6) -> None:
        self.now_s = 0.0
        self._began_s = began_s
        self._longest_s = longest_s
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._ready: deque[_Fiber] = deque()
        self._main = self._current = _Fiber("main")
        self._waiting: set[_Fiber] = set()
        self.is_over = False
        self.begun = 0
        """Threads that have begun."""
        self.threading = _threading_of(self)

    # --- the clock of the program (transload.clock.Clock)

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self._began_s + self.now_s

    def sleep_s(self, seconds: float, wake: Any = None) -> None:
        if wake is None:
            self.park(seconds)
        else:
            wake.wait(seconds)

    # --- what happens

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Call this when so much time has passed."""
        heapq.heappush(self._events, (self.now_s + seconds, next(self._number), call))

    @property
    def current(self) -> _Fiber:
        """Who runs now."""
        return self._current

    def park(self, seconds: float | None = None) -> bool:
        """Wait until `wake`, or so long. Whether it was woken."""
        if self.is_over:
            raise _Ended
        fiber = self._current
        fiber.turn += 1
        fiber.waits, fiber.woken = True, False
        if seconds is not None:
            turn = fiber.turn
            self.after(max(0.0, seconds), lambda: self._rouse(fiber, woken=False) if fiber.turn == turn else None)
        self._waiting.add(fiber)
        self._pass_on(fiber)
        self._waiting.discard(fiber)
        if self.is_over and fiber is not self._main:
            raise _Ended
        return fiber.woken

    def wake(self, fiber: _Fiber) -> None:
        """Let one that waits go on."""
        self._rouse(fiber, woken=True)

    def _rouse(self, fiber: _Fiber, *, woken: bool) -> None:
        if fiber.waits:
            fiber.waits, fiber.woken = False, woken
            self._ready.append(fiber)

    def _pass_on(self, fiber: _Fiber | None) -> None:
        """Let the next one run; return when it is this one's turn again, at once if it has ended (None)."""
        following = self._following()
        self._current = following
        if following is fiber:
            return
        following.go.release()
        if fiber is not None:
            fiber.go.acquire()

    def _following(self) -> _Fiber:
        while not self._ready:
            if not self._events or self._events[0][0] > self._longest_s:
                self._give_up()
                return self._main
            self.now_s, _, call = heapq.heappop(self._events)
            call()
        return self._ready.popleft()

    def _give_up(self) -> None:
        names = sorted(fiber.name for fiber in self._waiting)
        self._stuck = Stuck(f"at {self.now_s:.1f} s these wait: {', '.join(names)}")
        self.is_over = True

    _stuck: Stuck | None = None

    # --- threads

    def begin(self, fiber: _Fiber) -> None:
        """A new thread may run."""
        self.begun += 1
        self._ready.append(fiber)

    def end(self) -> None:
        """The thread that runs ends."""
        if not self.is_over:
            self._pass_on(None)

    def close(self) -> None:
        """End what still waits. Raises `Stuck` if the simulation could not go on."""
        self.is_over = True
        for fiber in (*self._waiting, *self._ready):
            if fiber is not self._main:
                with contextlib.suppress(RuntimeError):
                    fiber.go.release()
        if self._stuck is not None:
            raise self._stuck


def _threading_of(virtual: Virtual) -> types.SimpleNamespace:
    def bound(kind: type) -> Callable[..., Any]:
        return lambda *arguments, **options: kind(virtual, *arguments, **options)

    own = {kind.__name__: bound(kind) for kind in (Lock, RLock, Condition, Event, Semaphore, Thread)}
    return types.SimpleNamespace(**{**vars(threading), **own})


class Lock:
    """See `threading`. Who waits longest gets it."""

    def __init__(self, virtual: Virtual) -> None:
        self._virtual = virtual
        self._holder: _Fiber | None = None
        self._waiting: deque[_Fiber] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        virtual = self._virtual
        fiber = virtual.current
        if self._holder is None:
            self._holder = fiber
            return True
        if not blocking:
            return False
        self._waiting.append(fiber)
        if not virtual.park(None if timeout < 0 else timeout):
            self._waiting.remove(fiber)
            return False
        return True

    def release(self) -> None:
        if self._holder is None:
            raise RuntimeError("release unlocked lock")
        self._holder = None
        if self._waiting:
            self._holder = self._waiting.popleft()
            self._virtual.wake(self._holder)

    def locked(self) -> bool:
        return self._holder is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        if not self._virtual.is_over:
            self.release()


class RLock(Lock):
    """See `threading`."""

    def __init__(self, virtual: Virtual) -> None:
        super().__init__(virtual)
        self._depth = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if self._holder is not self._virtual.current and not super().acquire(blocking, timeout):
            return False
        self._depth += 1
        return True

    def release(self) -> None:
        self._depth -= 1
        if not self._depth:
            super().release()

    def let_go(self) -> int:
        """Release it whole; gives what `take_back` needs."""
        depth, self._depth = self._depth, 0
        super().release()
        return depth

    def take_back(self, depth: int) -> None:
        super().acquire()
        self._depth = depth


class Condition:
    """See `threading`."""

    def __init__(self, virtual: Virtual, lock: RLock | None = None) -> None:
        self._virtual = virtual
        self._lock = lock or RLock(virtual)
        self._waiting: deque[_Fiber] = deque()
        self.acquire, self.release = self._lock.acquire, self._lock.release

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        if not self._virtual.is_over:
            self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        fiber = self._virtual.current
        self._waiting.append(fiber)
        depth = self._lock.let_go()
        woken = self._virtual.park(timeout)
        if not woken:
            self._waiting.remove(fiber)
        self._lock.take_back(depth)
        return woken

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        until_s = None if timeout is None else self._virtual.now_s + timeout
        while not (result := predicate()):
            left_s = None if until_s is None else until_s - self._virtual.now_s
            if left_s is not None and left_s <= 0:
                break
            self.wait(left_s)
        return result

    def notify(self, n: int = 1) -> None:
        for _ in range(min(n, len(self._waiting))):
            self._virtual.wake(self._waiting.popleft())

    def notify_all(self) -> None:
        self.notify(len(self._waiting))


class Event:
    """See `threading`."""

    def __init__(self, virtual: Virtual) -> None:
        self._changed = Condition(virtual)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        self._changed.notify_all()

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        with self._changed:
            if not self._is_set:
                self._changed.wait(timeout)
        return self._is_set


class Semaphore:
    """See `threading`."""

    def __init__(self, virtual: Virtual, value: int = 1) -> None:
        self._changed = Condition(virtual)
        self._value = value

    def acquire(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._value > 0)
            self._value -= 1
        return True

    def release(self) -> None:
        with self._changed:
            self._value += 1
            self._changed.notify()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Thread(threading.Thread):
    """See `threading`. It begins when its turn comes."""

    def __init__(self, virtual: Virtual, **options: Any) -> None:
        super().__init__(**{**options, "daemon": True})
        self._virtual = virtual
        self._fiber = _Fiber(self.name)
        self._has_ended = False
        self._joining: list[_Fiber] = []

    def start(self) -> None:
        self._virtual.begin(self._fiber)
        super().start()

    def run(self) -> None:
        self._fiber.go.acquire()
        try:
            if not self._virtual.is_over:
                super().run()
        except _Ended:
            pass
        finally:
            self._has_ended = True
            for fiber in self._joining:
                self._virtual.wake(fiber)
            self._virtual.end()

    def is_alive(self) -> bool:
        return super().is_alive() and not self._has_ended

    def join(self, timeout: float | None = None) -> None:
        if self._has_ended:
            return
        self._joining.append(self._virtual.current)
        if not self._virtual.park(timeout):
            self._joining.remove(self._virtual.current)
