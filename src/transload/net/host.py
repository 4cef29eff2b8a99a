"""One host: what all requests to it share, and what its answers and failures mean for the next ones."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define

from transload.clock import Clock
from transload.errors import ServerTrouble, TooManyRequests, TransloadError
from transload.events import HostListener
from transload.net.backoff import Backoff, retry_after_s
from transload.net.patience import Kind, Patience
from transload.net.settings import NetSettings
from transload.net.slots import Slots

RESTING = {429, 502, 503, 504, 522}
"""Answers of a host that is restarting or overloaded. Other errors (500) may concern one request only."""
_CROWDED = {429, 503}


class Host:
    """What all requests to one origin share. Safe for threads."""

    def __init__(self, name: str, settings: NetSettings, clock: Clock, listen: HostListener) -> None:
        self.name = name
        self.slots = Slots(settings.slots)
        self.backoff = Backoff(clock)
        self.patience = Patience(name, settings, clock, listen)
        self._clock = clock

    def succeeded(self) -> None:
        """It gave an answer that is no call to come again."""
        self.backoff.succeeded()
        self.slots.grow()

    def failed(
        self, kind: Kind, round_: int, error: TransloadError, doing: str, wanted_s: float | None = None
    ) -> TransloadError:
        """Leave the host alone for a while, or for good. Returns the error to raise."""
        if error.retryable:
            pause_s = self.backoff.failed(round_, wanted_s, self.patience.longest_pause_s(kind))
            self.patience.failed(kind, error, self.backoff.failures, pause_s)
        over = self.patience.is_over() and self.patience.known  # a host that never answered gets its own error
        return self.patience.error(doing) if over else error

    def put_off(self, kind: Kind, round_: int, status: int, headers: Mapping[str, str], doing: str) -> None:
        """The host cannot answer now. Leave it alone for a while, or give it up with this as its last answer.

        If it has too much to do, fewer requests at a time go to it from now on. Requests that fail together count once.
        """
        if status in _CROWDED and self.backoff.is_first(round_):
            self.slots.halve()
        wanted_s = retry_after_s(headers, self._clock.wall_s())
        trouble = TooManyRequests if status == 429 else ServerTrouble
        error = trouble(f"{doing}: {self.name} answers {status}", subject=self.name)
        if wanted_s is None or not self.patience.refuse(kind, wanted_s, error):
            self.failed(kind, round_, error, doing, wanted_s)


@define
class Trial:
    """One request and its retries: since when, how often, and at which host it failed last."""

    began_s: float
    attempt: int = 0
    host: Host | None = None

    def is_enough(self, settings: NetSettings, now_s: float, resting: bool) -> bool:
        """Whether to stop retrying.

        For a host that is `resting` (restarting, overloaded, out of reach) retries go on as long as its budget lasts.
        If it served other requests meanwhile, only this request is in trouble.
        """
        if now_s - self.began_s >= settings.give_up_after_s or (self.host and self.host.patience.is_over()):
            return True
        useful_s = self.host.patience.useful_s if self.host else None
        well = useful_s is not None and useful_s > self.began_s
        return self.attempt >= settings.attempts and (well or not resting)
