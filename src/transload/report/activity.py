"""What goes on before, beside and after the copying, in a sentence: planning, verifying, hashing, listing.

Nothing is said of what is over at once. Then a terminal gets one line that vanishes, a log a line now and then, and a
program an event.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable
from typing import Protocol

from transload.clock import SYSTEM_CLOCK, Clock
from transload.events import Activity, Progressed
from transload.report.moving import Size
from transload.report.pulse import Pulse
from transload.report.speed import Speed
from transload.report.styled import Styled
from transload.report.texts import count, duration, percent, rate, size, size_of

SOON_S, LOG_S = 1.0, 10.0
_TERMINAL_S = 0.2
_WIDEST = 78

_SAID: dict[Activity, tuple[str, str, str]] = {  # what goes on, what is counted, what was done with it
    "selecting": ("asking what is published", "image", "found"),
    "surveying": ("planning", "image", "asked about"),
    "searching": ("planning", "blob", "looked for at the target"),
    "comparing": ("comparing the catalog with what is published", "", ""),
    "proving": ("verifying", "image", "checked"),
    "hashing": ("verifying", "B", "read and hashed"),
    "listing": ("taking the inventory", "name", "read"),
    "rechecking": ("checking what an earlier run left", "B", "read"),
    "finishing": ("finishing the bundle: writing what is left to the disk, and its checksums", "", ""),
}


class Voice(Protocol):
    """Where it is said: after `first_s`, then every `every_s` seconds."""

    first_s: float
    every_s: float

    def say(self, now: Progressed, moving: Moving) -> None:
        """Say what goes on."""
        ...

    def beside(self) -> None:
        """Something else was said, which is a sign of life, too."""
        ...

    def rest(self) -> None:
        """Nothing goes on any more."""
        ...


class Moving:
    """How long an activity has lasted, and how fast its bytes move."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began_s = clock.monotonic_s()
        self._speed = Speed(self.began_s)

    def heard(self, now: Progressed) -> None:
        """Take a count in."""
        self._speed.heard(now.done, self._clock.monotonic_s())

    def words(self, now: Progressed) -> list[str]:
        """The speed and the time left as far as they are known, else how long it has lasted."""
        now_s = self._clock.monotonic_s()
        elapsed = duration(now_s - self.began_s)
        if _SAID[now.activity][1] != "B":
            return [elapsed]
        left_s = None if now.total is None else self._speed.left_s(now.total - now.done, now_s)
        return [elapsed] if left_s is None else [rate(self._speed.rate(now_s)), f"{duration(left_s)} left"]


def sentence(now: Progressed) -> str:
    """What goes on, and how far it is.

    >>> sentence(Progressed("surveying", 12, 20)), sentence(Progressed("selecting"))
    ('planning: 12 of 20 images asked about', 'asking what is published')
    >>> sentence(Progressed("hashing", 1 << 20, 4 << 20))
    'verifying: 1.0 of 4.0 MiB (25%) read and hashed'
    """
    what, unit, done = _SAID[now.activity]
    if not unit or (now.total is None and not now.done):
        return what
    if unit == "B":
        part = f"{size_of(now.done, now.total)} ({percent(now.done, now.total)})" if now.total else size(now.done)
        return f"{what}: {part} {done}"
    part = count(now.done, unit) if now.total is None else f"{now.done:,} of {count(now.total, unit)}"
    beside = f", {size(now.bytes)} read and hashed" if now.bytes else ""
    return f"{what}: {part} {done}{beside}"


class Working:
    """A listener for `Progressed`, safe for threads; `rest` when something else is to be shown."""

    def __init__(self, voice: Voice, clock: Clock = SYSTEM_CLOCK) -> None:
        self._voice = voice
        self._clock = clock
        self._now: Progressed | None = None
        self._moving: Moving | None = None
        self._pulse: Pulse | None = None
        self._lock = threading.RLock()

    def __call__(self, event: Progressed) -> None:
        """Take one in; it is said when its time has come."""
        with self._lock:
            if self._now is None or self._moving is None or self._now.activity != event.activity:
                self._moving = Moving(self._clock)
            self._now = event
            self._moving.heard(event)
            if self._pulse is None:
                self._pulse = Pulse(self._beat, self._voice.every_s, first_s=self._voice.first_s, clock=self._clock)
                self._pulse.start()

    def rest(self) -> None:
        """Say nothing until the next event; a line on a terminal vanishes."""
        with self._lock:
            pulse, self._pulse, self._now = self._pulse, None, None
        if pulse is not None:
            pulse.stop()
            self._voice.rest()

    def beside(self) -> None:
        """People were told something else meanwhile."""
        self._voice.beside()

    def _beat(self) -> None:
        with self._lock:
            now, moving = self._now, self._moving
        if now is not None and moving is not None:
            self._voice.say(now, moving)


class TerminalVoice:
    """One line at the end of a terminal, given to `draw`; None takes it away."""

    first_s, every_s = SOON_S, _TERMINAL_S

    def __init__(self, draw: Callable[[Styled | None], None], size: Size) -> None:
        self._draw = draw
        self._size = size

    def say(self, now: Progressed, moving: Moving) -> None:
        """Draw it."""
        width = min(self._size()[0] - 1, _WIDEST)
        said = [sentence(now), *moving.words(now)]
        while len(", ".join(said)) > width and len(said) > 1:
            said.pop()
        told = textwrap.shorten(", ".join(said), width, placeholder=" …") if width > 9 else ""
        self._draw(Styled.of((told, "faint")))

    def beside(self) -> None:
        """The line stays the last one."""

    def rest(self) -> None:
        """Take it away."""
        self._draw(None)


class LogVoice:
    """A line now and then; none that says nothing new while other lines come."""

    first_s = every_s = LOG_S

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._told: Progressed | None = None
        self._beside = False

    def say(self, now: Progressed, moving: Moving) -> None:
        """Write it."""
        beside, self._beside = self._beside, False
        if beside and now == self._told:
            return
        self._told = now
        self._write(", ".join([sentence(now), *moving.words(now)]))

    def beside(self) -> None:
        """See `Voice`."""
        self._beside = True

    def rest(self) -> None:
        """Lines stay."""


class EventVoice:
    """For programs: once a second while it comes further, else every ten seconds."""

    first_s = every_s = SOON_S

    def __init__(self, tell: Callable[[Progressed], None]) -> None:
        self._tell = tell
        self._told: Progressed | None = None
        self._silent = 0

    def say(self, now: Progressed, moving: Moving) -> None:  # noqa: ARG002 - programs measure for themselves
        """Tell it."""
        self._silent += 1
        if now != self._told or self._silent >= LOG_S / SOON_S:
            self._told, self._silent = now, 0
            self._tell(now)

    def beside(self) -> None:
        """Programs get each event by itself."""

    def rest(self) -> None:
        """Nothing is to be taken away."""
