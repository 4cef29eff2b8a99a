"""When to retry: one back-off per host, shared by all threads, with jitter; it respects `Retry-After`."""

from __future__ import annotations

import email.utils
import random
import threading
from collections.abc import Callable, Mapping

from transload.clock import Clock
from transload.threads import Cancellation
from transload.wording import whole_number

# Answers after which the same request may succeed: the usual ones, and what proxies in front of registries send
# (499 nginx: client went away; 522 Cloudflare: origin timed out).
RETRIED = frozenset({408, 429, 499, 500, 502, 503, 504, 522})
_FIRST_S = 0.5
_CEILING_S = 15.0


_LONGEST_TEXT = 64  # characters, enough for a date with a zone; a longer text is not worth the time to parse
_MOMENT = 10**9  # larger numbers are no seconds to wait, but seconds since 1970: so Docker Hub's API sends them
_MILLISECONDS = 10**12  # and these are milliseconds


def retry_after_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Seconds that `Retry-After` asks for: a number, or a date (RFC 9110, section 10.2.3); None if it asks for none."""
    return asked_s(headers.get("Retry-After", ""), headers, now_s)


def asked_s(text: str, headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Seconds until the moment in one of an answer's `headers`: a number of them, a date, or seconds since 1970.

    A moment is compared to the `Date` of the same answer, since the clocks of the two sides may differ. Without one, it
    is compared to `now_s`, our own clock in seconds since 1970, if that is given.
    """
    number = whole_number(text.strip())
    if number is not None and number < _MOMENT:
        return float(number)
    moment_s = _instant_s(text.strip()) if number is None else number / (1000 if number >= _MILLISECONDS else 1)
    sent_s = _instant_s(headers.get("Date", ""))
    since_s = now_s if sent_s is None else sent_s
    return None if moment_s is None or since_s is None else max(0.0, moment_s - since_s)


def _instant_s(text: str) -> float | None:
    """Seconds since 1970 of an HTTP date, None for anything else."""
    if not text or len(text) > _LONGEST_TEXT:
        return None
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def delay_s(failures: int, wanted_s: float | None, jitter: float) -> float:
    """Seconds to leave a host alone after its n-th failure in a row; `jitter` is from 0 to 1.

    A wait that the server asks for is never shortened. Up to a tenth is added, so that clients do not all return at
    once. A wait of no time (a date that is past already) counts as no wish.
    """
    if wanted_s:
        return wanted_s * (1 + jitter / 10)
    return (0.5 + jitter / 2) * min(_CEILING_S, _FIRST_S * 2.0 ** min(max(failures - 1, 0), 10))


class Backoff:
    """Leaves one host alone for a while after failures. Threads that fail together count as one failure."""

    def __init__(self, clock: Clock, jitter: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self.failures = 0
        """In a row."""
        self._round = 0
        self._until_s = 0.0

    def wait(self, cancellation: Cancellation) -> int:
        """Wait until the host may be asked. Returns the round, which `failed` takes. Raises `Interrupted`."""
        while True:
            cancellation.check()
            with self._lock:
                left_s = self._until_s - self._clock.monotonic_s()
                if left_s <= 0:
                    return self._round
            self._clock.sleep_s(left_s, cancellation.wake)

    def is_first(self, round_: int) -> bool:
        """Whether no request that began in this round has failed yet."""
        return round_ == self._round

    def failed(self, round_: int, wanted_s: float | None = None, longest_s: float = float("inf")) -> float | None:
        """A request that began in this round has failed. Returns the pause in seconds; None if counted before."""
        with self._lock:
            first = round_ == self._round
            if first:
                self.failures += 1
                self._round += 1
            elif wanted_s is None:
                return None  # another thread's failure already makes all threads wait
            pause_s = min(delay_s(self.failures, wanted_s, self._jitter()), longest_s)
            self._until_s = max(self._until_s, self._clock.monotonic_s() + pause_s)
            return pause_s if first else None

    def succeeded(self) -> None:
        """The host answered normally: the count of failures starts again at zero."""
        if self.failures:
            with self._lock:
                self.failures = 0
