"""Says what goes on besides copying: planning, verifying, hashing, listing.

What ends at once is not shown. What takes longer is shown as one line that a terminal removes again, as a line now and
then in a log, and as an event for a program.
"""

from __future__ import annotations

import textwrap
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from transload.clock import SYSTEM_CLOCK, Clock
from transload.report.pulse import Pulse
from transload.report.speed import Speed
from transload.report.styled import Styled
from transload.report.texts import count, duration, percent, rate, size, size_of, time_left

if TYPE_CHECKING:
    from transload.events import Activity, Progressed
    from transload.report.moving import Size

SOON_S, LOG_S = 1.0, 10.0
_TERMINAL_S = 0.2
_WIDEST = 78

_WORDS: dict[Activity, tuple[str, str, str]] = {  # what goes on, what is counted, what was done with it
    "selecting": ("asking what is published", "image", "found"),
    "surveying": ("planning", "image", "asked about"),
    "searching": ("planning", "blob", "looked for at the target"),
    "comparing": ("comparing the catalog with what is published", "", ""),
    "proving": ("verifying", "image", "checked"),
    "hashing": ("verifying", "B", "read and hashed"),
    "listing": ("taking the inventory", "name", "read"),
    "deleting": ("deleting", "manifest", "deleted"),
    "rechecking": ("checking what an earlier run left", "B", "read"),
    "finishing": ("finishing the bundle: writing what is left to the disk, and its checksums", "", ""),
    "reading-back": ("reading back from the medium what was written", "B", "read"),
    "protecting": ("computing the recovery volumes", "B", "read"),
    "repairing": ("repairing the bundle", "B", "read"),
    "checking": ("checking", "point", "looked at"),
    "loading": ("loading", "B", "sent to the engine"),
    "staging": ("fetching images for the gates", "B", "staged"),
    "gating": ("gates", "image", "looked at"),
    "judging": ("looking for signatures", "image", "judged"),
}


class Voice(Protocol):
    """Where the sentence goes: after `first_s`, then every `every_s` seconds."""

    first_s: float
    every_s: float

    def say(self, now: Progressed, moving: Moving) -> None:
        """Show what goes on."""
        ...

    def beside(self) -> None:
        """Something else was shown, which is a sign of life too."""
        ...

    def rest(self) -> None:
        """The activity is over."""
        ...


class Moving:
    """How long an activity has lasted, and how fast its bytes move."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began_s = clock.monotonic_s()
        self._speed = Speed(self.began_s)

    def heard(self, now: Progressed) -> None:
        """Take in a count."""
        self._speed.heard(now.done, self._clock.monotonic_s())

    def words(self, now: Progressed) -> list[str]:
        """The speed and the time left if they are known, else how long it has lasted."""
        now_s = self._clock.monotonic_s()
        elapsed = duration(now_s - self.began_s)
        if _WORDS[now.activity][1] != "B":
            return [elapsed]
        left_s = None if now.total is None else self._speed.left_s(now.total - now.done, now_s)
        return [elapsed] if left_s is None else [rate(self._speed.rate(now_s)), time_left(left_s)]


def sentence(now: Progressed) -> str:
    """What goes on, and how much of it is done.

    >>> sentence(Progressed("surveying", 12, 20)), sentence(Progressed("selecting"))
    ('planning: 12 of 20 images asked about', 'asking what is published')
    >>> sentence(Progressed("hashing", 1 << 20, 4 << 20))
    'verifying: 1.0 of 4.0 MiB (25%) read and hashed'
    """
    what, unit, done = _WORDS[now.activity]
    if not unit or (now.total is None and not now.done):
        return what
    if unit == "B":
        part = f"{size_of(now.done, now.total)} ({percent(now.done, now.total)})" if now.total else size(now.done)
        return f"{what}: {part} {done}"
    part = count(now.done, unit) if now.total is None else f"{now.done:,} of {count(now.total, unit)}"
    beside = f", {size(now.bytes)} read and hashed" if now.bytes else ""
    return f"{what}: {part} {done}{beside}"


class Working:
    """A listener for `Progressed`, safe to use from several threads. Call `rest` before something else is shown."""

    def __init__(self, voice: Voice, clock: Clock = SYSTEM_CLOCK) -> None:
        self._voice = voice
        self._clock = clock
        self._now: Progressed | None = None
        self._moving: Moving | None = None
        self._pulse: Pulse | None = None
        self._lock = threading.RLock()

    def __call__(self, event: Progressed) -> None:
        """Take in an event; it is shown at the next beat."""
        with self._lock:
            if self._now is None or self._moving is None or self._now.activity != event.activity:
                self._moving = Moving(self._clock)
            self._now = event
            self._moving.heard(event)
            if self._pulse is None:
                self._pulse = Pulse(self._beat, self._voice.every_s, first_s=self._voice.first_s, clock=self._clock)
                self._pulse.start()

    def rest(self) -> None:
        """Show nothing until the next event. A line on a terminal disappears."""
        with self._lock:
            pulse, self._pulse, self._now = self._pulse, None, None
        if pulse is not None:
            pulse.stop()
            self._voice.rest()

    def beside(self) -> None:
        """Something else was shown meanwhile."""
        self._voice.beside()

    def _beat(self) -> None:
        with self._lock:
            now, moving = self._now, self._moving
        if now is not None and moving is not None:
            self._voice.say(now, moving)


class TerminalVoice:
    """One line at the end of a terminal, passed to `draw`; None removes it."""

    first_s, every_s = SOON_S, _TERMINAL_S

    def __init__(self, draw: Callable[[Styled | None], None], size: Size) -> None:
        self._draw = draw
        self._size = size

    def say(self, now: Progressed, moving: Moving) -> None:
        """Draw it."""
        width = min(self._size()[0] - 1, _WIDEST)
        phrases = [sentence(now), *moving.words(now)]
        while len(", ".join(phrases)) > width and len(phrases) > 1:
            phrases.pop()
        text = textwrap.shorten(", ".join(phrases), width, placeholder=" …") if width > 9 else ""
        self._draw(Styled.of((text, "faint")))

    def beside(self) -> None:
        """The line stays the last one."""

    def rest(self) -> None:
        """Remove it."""
        self._draw(None)


class LogVoice:
    """A line now and then; while other lines come, only if it says something new."""

    first_s = every_s = LOG_S

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last: Progressed | None = None
        self._beside = False

    def say(self, now: Progressed, moving: Moving) -> None:
        """Write it."""
        beside, self._beside = self._beside, False
        if beside and now == self._last:
            return
        self._last = now
        self._write(", ".join([sentence(now), *moving.words(now)]))

    def beside(self) -> None:
        """See `Voice`."""
        self._beside = True

    def rest(self) -> None:
        """Lines stay."""


class EventVoice:
    """For programs: once a second while there is progress, else every ten seconds."""

    first_s = every_s = SOON_S

    def __init__(self, tell: Callable[[Progressed], None]) -> None:
        self._tell = tell
        self._last: Progressed | None = None
        self._silent = 0

    def say(self, now: Progressed, moving: Moving) -> None:  # noqa: ARG002 - programs measure for themselves
        """Send it."""
        self._silent += 1
        if now != self._last or self._silent >= LOG_S / SOON_S:
            self._last, self._silent = now, 0
            self._tell(now)

    def beside(self) -> None:
        """Nothing to do: programs get the other events anyway."""

    def rest(self) -> None:
        """Nothing to remove."""
