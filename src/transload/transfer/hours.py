"""Times of the day in which a run may move bytes: `22:00-05:00`, by the local clock of this machine. Pure.

The clock on the wall decides at each moment. So a day with 23 or 25 hours, a clock that is set, and a machine that was
asleep need no rules of their own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from transload.errors import UsageError
from transload.expressions import late
from transload.values import frozen

_DAY = 24 * 60
_WINDOW = late(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")
_HINT = "write hours and minutes of the local time, such as 22:00-05:00, or several with commas between"


@frozen
class Window:
    """From one minute of the day to before another; over midnight if the second is smaller."""

    begin: int
    end: int

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read `22:00-05:00`. Raises `UsageError`."""
        form = _WINDOW.fullmatch(text.strip())
        begin, end = (_minutes(form[1], form[2]), _minutes(form[3], form[4])) if form else (None, None)
        if begin is None or end is None or begin == _DAY:
            raise UsageError(f"{text.strip()[:40]!r} is not a time of the day from one hour to another", hint=_HINT)
        if begin == end:
            raise UsageError(f"{text.strip()} begins and ends at the same time", hint=_HINT)
        return cls(begin, end % _DAY)

    def has(self, minute: int) -> bool:
        """Whether a minute of the day is in it."""
        if self.begin < self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end

    def __str__(self) -> str:
        return f"{_shown(self.begin)}-{_shown(self.end or _DAY)}"


@frozen
class Hours:
    """The windows of a day, one or several."""

    _windows: tuple[Window, ...]

    @classmethod
    def parse(cls, texts: str | Iterable[str]) -> Hours:
        """Read windows, also several in one text with commas between. Raises `UsageError`.

        >>> str(Hours.parse("22:00-05:00, 12:00-13:30"))
        '22:00-05:00,12:00-13:30'
        """
        several = (texts,) if isinstance(texts, str) else texts
        return cls(tuple(Window.parse(part) for text in several for part in text.split(",")))

    def are_on(self, wall_s: float) -> bool:
        """Whether the moment is in one of the windows. `wall_s` is seconds since 1970."""
        minute = _minute(wall_s)
        return any(window.has(minute) for window in self._windows)

    def next_begin(self, wall_s: float) -> str:
        """When the next window begins, as hours and minutes."""
        minute = _minute(wall_s)
        return _shown(min(self._windows, key=lambda window: (window.begin - minute) % _DAY).begin)

    def __str__(self) -> str:
        return ",".join(map(str, self._windows))


def _minutes(hour: str, minute: str) -> int | None:
    """Minutes since midnight, up to 24:00; None for a time that no day has."""
    minutes = 60 * int(hour) + int(minute)
    return minutes if int(minute) < 60 and minutes <= _DAY else None


def _minute(wall_s: float) -> int:
    local = time.localtime(wall_s)
    return 60 * local.tm_hour + local.tm_min


def _shown(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
