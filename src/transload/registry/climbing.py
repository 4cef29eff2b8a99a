"""Finds how many connections are useful from what they carry together: more, as long as more carry more. Pure.

A trial takes a few more than the last useful number. If they carry clearly more, this is the useful number, and the
next trial begins at once. If not, the number falls back, and the next trial comes later each time. Where more carried
nothing more, a trial may also be for fewer: some servers are slower the more is asked of them.
"""

from __future__ import annotations

import math
from typing import Literal

from transload.values import define

Trial = Literal["none", "more", "fewer", "calmer"]
"""What is tried: more; fewer, to carry more; fewer, since answers come late."""

_STEP, _FINE_STEP = 0.75, 0.25
_WORTH = 0.4  # of the share that further connections would carry if each carried as much as the others
_NOTHING = 1.05  # a rate below this times the rate before is no gain
_BETTER_WITH_FEWER = 1.1
_AS_GOOD = 0.93
_CALMER = 0.7  # an answer that needs less than this share of the time before is worth having fewer
_REST, _LONGEST_REST = 4, 32  # in measurements
_PATIENCE = 4
_ALIKE = 0.7  # of what each carried at best: with less, they share something
_WARY = 128  # measurements, after a refusal


@define(kw_only=True)
class Climb:
    """The number that may be in use, `level`. It changes only in the methods."""

    level: int
    useful: int = 0
    """The last number that was worth it."""
    trial: Trial = "none"
    is_settled: bool = False
    """Whether a measurement has said something about this number."""
    _rate: float = 0.0
    _latency_s: float | None = None
    _rest: int = 0
    _failures: int = 0
    _is_full: bool = False
    _each: float = 0.0
    _refused: int | None = None
    _wary: int = 0
    _was_refused: bool = False
    _given_up: tuple[int, float] | None = None
    """The number of the last trial for more, and what it carried, until the number before is measured again."""

    @property
    def is_new(self) -> bool:
        """Whether nothing was measured yet."""
        return not (self.useful or self._was_refused)

    @property
    def patience(self) -> int:
        """How many times as long to measure: small steps after failures need more care than the first large ones."""
        return min(_PATIENCE, 1 + self._failures)

    def measured(self, rate: float | None, most: int, latency_s: float | None = None, late: bool = False) -> None:
        """`level` of them carried `rate` bytes a second; None if more are always worth it.

        `late`: answers come much later than the best did.
        """
        if self._wary:
            self._wary -= 1
            if not self._wary:
                self._refused = None
        if self.trial != "none":
            self._judge(rate, latency_s)
        elif rate is not None and self._was_wrong(rate):
            return
        elif rate is not None:
            self._rate = rate if self.useful != self.level or not self._rate else (self._rate + rate) / 2
        self._each = max(self._each, (rate or 0.0) / self.level)
        if self.trial == "none":
            self.useful = self.level
            self._is_full |= self.level >= most and (rate or 0.0) < _ALIKE * self._each * self.level
            self._begin(min(most, (self._refused or most + 1) - 1), latency_s, late)

    def refused(self, in_use: int) -> None:
        """The host could not answer all of them: half as many, and for a while not as many as there were."""
        self._refused, self._wary, self._given_up = max(2, in_use), _WARY, None
        self._fall_to(max(1, min(self.level, in_use // 2)))
        self._rest, self._failures, self.is_settled, self._was_refused = _REST, 1, True, True

    def _judge(self, rate: float | None, latency_s: float | None) -> None:
        gain = math.inf if rate is None else rate / self._rate if self._rate else 1.0
        helped = {
            "more": gain >= 1 + _WORTH * (self.level / self.useful - 1),
            "fewer": gain >= _BETTER_WITH_FEWER,
            "calmer": gain >= _AS_GOOD or _is_calmer(latency_s, self._latency_s),
        }[self.trial]
        self._is_full = self.trial == "more" and gain < _NOTHING
        self.is_settled = True
        if helped:
            self.useful, self._rate, self.trial, self._failures = self.level, rate or 0.0, "none", 0
        else:
            self._given_up = (self.level, rate) if self.trial == "more" and rate else None
            self._rest = min(_LONGEST_REST, _REST << self._failures)
            self._failures += 1
            self._fall_to(self.useful)

    def _was_wrong(self, rate: float) -> bool:
        """Whether more did carry more, than the number before carries now. What it seemed to carry filled buffers.

        At the beginning, the target's connections take bytes that nobody has carried yet.
        """
        given_up, self._given_up = self._given_up, None
        if given_up is None or given_up[1] < rate * (1 + _WORTH * (given_up[0] / self.level - 1)):
            return False
        self.level, self._rate = given_up
        self._each = self._rate / self.level
        self.useful, self._rest, self._failures, self._is_full = self.level, 0, 0, False
        return True

    def _fall_to(self, level: int) -> None:
        self.level = self.useful = level
        self.trial, self._rate = "none", 0.0

    def _begin(self, most: int, latency_s: float | None, late: bool) -> None:
        """Begin the next trial, if it is time for one."""
        if late and self.level > 2:
            self._try("calmer", max(2, self.level - max(1, self.level // 4)), latency_s)
        elif self._rest:
            self._rest -= 1
        elif self._is_full and self.level > 1:
            self._is_full = False
            self._try("fewer", max(1, self.level - max(1, self.level // 4)), latency_s)
        elif self.level < most:
            share = _FINE_STEP if self._failures or self._was_refused else _STEP
            self._try("more", min(most, self.level + max(1, round(self.level * share))), latency_s)

    def _try(self, trial: Trial, level: int, latency_s: float | None) -> None:
        self.trial, self.level, self._latency_s = trial, level, latency_s


def _is_calmer(now_s: float | None, before_s: float | None) -> bool:
    return now_s is not None and before_s is not None and now_s <= _CALMER * before_s
