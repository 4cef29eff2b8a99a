"""When a child is killed: at a request, at a byte, or some time after. A clock decides only in the last moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections.abc import Iterable, Iterator
from typing import Literal

from attrs import evolve, frozen

from transload.testing.laboratory import ALWAYS, Answer, Asked, Fault, Onward

At = Literal["request", "byte"]


@frozen
class Moment:
    """After so many requests or bytes of bodies, and then `later_s` seconds; and which signal."""

    at: At
    count: int
    later_s: float = 0.0
    number: int = signal.SIGKILL

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return f"{name} at {self.at} {self.count}" + (f" and {self.later_s:.3f} s" if self.later_s else "")


@frozen
class Extent:
    """How many requests and bytes an undisturbed run has."""

    requests: int
    bytes: int
    seconds: float

    def moment(self, dice: random.Random, number: int = signal.SIGKILL) -> Moment:
        """Any moment: half of them by the byte, half by the request; the last request may be followed by a pause."""
        if dice.random() < 0.5:
            return Moment("byte", dice.randrange(1, self.bytes + 1), 0.0, number)
        count = dice.randrange(1, self.requests + 1)
        late = count == self.requests or dice.random() < 0.2
        return Moment("request", count, dice.uniform(0, self.seconds / 2) if late else 0.0, number)


class Fuse:
    """A fault for all requests of all laboratories of a run, which only counts, and kills when the moment has come."""

    def __init__(self, moment: Moment | None = None) -> None:
        self.requests = self.bytes = 0
        self.blown = threading.Event()
        self._moment = moment
        self._pid = 0
        self._lock = threading.Lock()
        self._timers: list[threading.Timer] = []

    @property
    def fault(self) -> Fault:
        """What laboratories get."""
        return Fault(on="* *", act=lambda asked, onward, _: self._pass(asked, onward), times=ALWAYS)

    def watch(self, pid: int | None) -> None:
        """The process that will be killed. If the moment has come already, it is now."""
        assert pid
        with self._lock:
            self._pid = pid
        self._count(0, 0)

    def end(self) -> None:
        """The process has ended: its number may be somebody else's from now on."""
        with self._lock:
            self._pid = 0
            for timer in self._timers:
                timer.cancel()

    def _pass(self, asked: Asked, onward: Onward) -> Answer:
        self._count(1, 0)
        answer = onward(evolve(asked, body=self._counted(asked.body)))
        return evolve(answer, body=self._counted(answer.body))

    def _counted(self, body: Iterable[bytes]) -> Iterator[bytes]:
        for piece in body:
            yield piece
            self._count(0, len(piece))

    def _count(self, requests: int, size: int) -> None:
        with self._lock:
            self.requests += requests
            self.bytes += size
            moment = self._moment
            if not moment or not self._pid or self.blown.is_set():
                return
            if (self.requests if moment.at == "request" else self.bytes) < moment.count:
                return
            self.blown.set()
            if not moment.later_s:
                self._kill()
                return
            timer = threading.Timer(moment.later_s, self._kill_later)
            self._timers.append(timer)
            timer.start()

    def _kill_later(self) -> None:
        with self._lock:
            self._kill()

    def _kill(self) -> None:
        if self._pid and self._moment:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, self._moment.number)
