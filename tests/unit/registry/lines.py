"""A line in simulation: connections that each carry at most so much, together at most so much, on a clock of its own.

Time goes on in small steps, and nothing waits.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

from attrs import define, field

from transload.registry.level import Level

STEP_S = 0.005


class SimulatedClock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def monotonic_s(self) -> float:
        return self.now_s

    def wall_s(self) -> float:
        return self.now_s

    def sleep_s(self, seconds: float, wake: threading.Event | None = None) -> None:
        self.now_s += seconds


@define(kw_only=True)
class Line:
    """`each` and `whole` in bytes a second; `delay_s` is a round trip. `serves` says what a server can send to so many
    connections. From `refuses` connections on a new one is answered 429. `noise` is a share of the rate."""

    each: float = 20e6
    whole: float = float("inf")
    delay_s: float = 0.04
    noise: float = 0.0
    refuses: int | None = None
    piece: int = 256 << 10
    body: float = float("inf")
    serves: Callable[[int], float] = lambda count: float("inf")
    answers_after_s: Callable[[int], float] = lambda count: 0.0
    seed: int = 1


@define
class _Connection:
    asked_s: float
    begins_s: float
    left: float
    parts: float = 0.0
    asked: bool = False
    answered: bool = False


@define
class Simulated:
    """Bodies without end over a line, as many at a time as the level says."""

    line: Line
    level: Level
    clock: SimulatedClock
    wanted: int = 1000
    bytes: float = 0.0
    refusals: int = 0
    history: list[tuple[float, int]] = field(factory=list)
    _moving: list[_Connection] = field(factory=list)

    def run(self, seconds: float) -> float:
        """Bytes a second over this time."""
        chance, began_s, before = random.Random(self.line.seed), self.clock.now_s, self.bytes
        with self.level.claim(1000, lambda: None) as claim:
            while self.clock.now_s < began_s + seconds:
                claim.want(self.wanted, self.wanted)
                while len(self._moving) < self.wanted and claim.has_room(len(self._moving)):
                    self._begin()
                self.clock.now_s += STEP_S
                self._carry(chance)
                self.history.append((self.clock.now_s - began_s, self.level.at_a_time))
        return (self.bytes - before) / seconds

    def _begin(self) -> None:
        line, count = self.line, len(self._moving)
        # the upload is opened, then the body is asked for
        asked_s = self.clock.now_s + line.delay_s
        self._moving.append(_Connection(asked_s, asked_s + line.delay_s + line.answers_after_s(count), line.body))

    def _carry(self, chance: random.Random) -> None:
        now_s, line = self.clock.now_s, self.line
        for connection in [one for one in self._moving if not one.asked and one.asked_s <= now_s]:
            connection.asked = True
            self.level.enter()
            if line.refuses is not None and self.level.in_use >= line.refuses:
                self.refusals += 1
                self.level.crowded()
                self.level.leave()
                self._moving.remove(connection)
        ready = [connection for connection in self._moving if connection.begins_s <= now_s]
        rate = min(line.each, min(line.whole, line.serves(len(self._moving))) / max(1, len(ready)))
        for connection in ready:
            if not connection.answered:
                connection.answered = True
                self.level.answered(line.delay_s + line.answers_after_s(len(self._moving)))
            moved = rate * STEP_S * max(0.0, chance.gauss(1, line.noise) if line.noise else 1.0)
            connection.parts += moved
            connection.left -= moved
            while connection.parts >= line.piece:
                connection.parts -= line.piece
                self.bytes += line.piece
                self.level.moved(line.piece)
            if connection.left <= 0:
                self._moving.remove(connection)
                self.level.leave()


def simulated(line: Line, most: int = 14, at_first: int | None = None) -> Simulated:
    """A line that nothing has moved on yet."""
    clock = SimulatedClock()
    return Simulated(line, Level(clock, most, at_first), clock)
