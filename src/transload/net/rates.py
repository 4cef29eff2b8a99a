"""Limits on the speed of a run, as people write them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transload.errors import Side, UsageError
from transload.values import frozen
from transload.wording import bytes_in

LEAST = 1000.0
"""The slowest limit, in bytes a second: below it, servers take a connection for dead."""
_PARTS = ("whole", "source", "target")
_HINT = "write a rate such as 20MB/s or 500KiB/s, or source=20MB/s for one side only"
_CONNECTION_RATE = 16 << 10
"""Bytes a second that each connection should move at least, so that neither end takes it for dead."""


def _check(name: str, rate: float | None) -> None:
    if rate is not None and not rate >= LEAST:  # this form also refuses NaN
        whose = "" if name == "whole" else f" for the {name}"
        raise UsageError(f"a limit of {rate:g} bytes a second{whose} is too low: at least 1KB/s is needed", hint=_HINT)


@frozen(kw_only=True)
class RateLimits:
    """How many bytes a second bodies may move in each direction: all together, and those of one side. None: no limit.

    Raises `UsageError` for less than 1000 bytes a second.
    """

    whole: float | None = None
    source: float | None = None
    target: float | None = None

    def __attrs_post_init__(self) -> None:
        for name in _PARTS:
            _check(name, getattr(self, name))

    @classmethod
    def of(cls, value: RateLimits | str | float | Iterable[str] | None) -> RateLimits:
        """From bytes a second, or from one text or several: `20MB/s`, `source=20MB/s`, `target=500KiB/s`.

        K, M, G and KiB… are powers of 1024, KB… powers of 1000; `/s` may be left out. Raises `UsageError`, and
        `TypeError` for anything else.

        >>> RateLimits.of(["20MB/s", "source=1.5 MiB/s"])
        RateLimits(whole=20000000.0, source=1572864.0, target=None)
        """
        if isinstance(value, RateLimits):
            return value
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return cls(whole=float(value))
        if isinstance(value, (bool, bytes)):
            raise TypeError(f"a rate is a number or a text, not {type(value).__name__}")
        rates: dict[str, float] = {}
        for text in (value,) if isinstance(value, str) else value or ():
            part, rate = _read(text)
            if part in rates:
                raise UsageError(f"the limit {text!r} is the second one for the {part}", subject=text, hint=_HINT)
            rates[part] = rate
        return cls(**rates)

    @property
    def texts(self) -> tuple[str, ...]:
        """The same as texts that `of` reads."""
        return tuple(f"{rate:.0f}" if part == "whole" else f"{part}={rate:.0f}" for part, rate in self._given())

    @property
    def lowest(self) -> float | None:
        """The lowest of the limits, in bytes a second: a copy is not faster than that."""
        return min((rate for _, rate in self._given()), default=None)

    @property
    def bodies(self) -> int | None:
        """How many bodies should move at a time: few at a low limit, so that each keeps moving. None: any number."""
        return None if self.lowest is None else max(1, int(self.lowest // _CONNECTION_RATE))

    def of_side(self, side: Side) -> float | None:
        """The limit of one side."""
        return self.source if side == "source" else self.target

    def _given(self) -> Iterator[tuple[str, float]]:
        for name in _PARTS:
            rate = getattr(self, name)
            if rate is not None:
                yield name, rate


NO_RATE_LIMITS = RateLimits()


def _read(text: str) -> tuple[str, float]:
    """Which bytes are meant, and how many of them a second."""
    if not isinstance(text, str):
        raise TypeError(f"a rate with others is a text, not {type(text).__name__}")
    part, equals, rest = text.rpartition("=")
    part, rest = part.strip().lower(), rest.strip().lower()
    rate = bytes_in(rest.removesuffix("/s"))
    if rate is None or part not in ({"source", "target"} if equals else {""}):
        raise UsageError(f"{text!r} is not a rate", subject=text, hint=_HINT)
    return part or "whole", float(rate)
