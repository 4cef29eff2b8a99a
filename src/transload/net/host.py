"""One host: what all requests to it share, and what its answers and failures mean for the next ones."""

from __future__ import annotations

import random
from collections.abc import Mapping

from transload.clock import Clock
from transload.errors import ServerTrouble, TooManyRequests, TransloadError
from transload.events import Allowance, HostListener, HostTroubled
from transload.net.allowance import allowance_in, renewed_s
from transload.net.backoff import Backoff, delay_s, retry_after_s
from transload.net.pace import Turns
from transload.net.patience import Kind, Patience, attempts_ahead
from transload.net.settings import NetSettings
from transload.net.slots import Slots
from transload.threads import Cancellation
from transload.values import define

RESTING = {429, 502, 503, 504, 522}
"""Answers of a host that is restarting or overloaded. Other errors (500) may concern one request only."""
CROWDED = {429, 503}
"""Answers of a host that has too much to do."""
_TOLD_S = 2.0  # people are told of a wait from this length on
_ALONE_SHARE = 0.5  # of the host's budget; if all of it were spent, the whole host would be given up


@define
class _Due:
    """How many more requests may go at once, and when the one after them, on the monotonic clock."""

    allowance: Allowance
    at_s: float
    left: int = 0
    is_told: bool = False


class Host:
    """What all requests to one origin share. Safe for threads."""

    def __init__(self, name: str, settings: NetSettings, clock: Clock, listen: HostListener) -> None:
        self.name = name
        self.slots = Slots(settings.slots)
        self.backoff = Backoff(clock)
        self.patience = Patience(name, settings, clock, listen)
        self.waited_in_vain = False
        """Whether a request got no useful answer in all its time, while others did. Later ones get no such time."""
        self._clock = clock
        self._jitter = random.random
        self._listen = listen
        self._longest_s = settings.give_up_after_s
        self._due: dict[str, _Due] = {}
        self._turns = Turns()

    def succeeded(self, kind: Kind, headers: Mapping[str, str]) -> None:
        """It gave an answer that is no call to come again. Few requests left means few at a time from now on."""
        self.backoff.succeeded()
        self.slots.grow()
        allowance = allowance_in(headers, self._clock.wall_s())
        if allowance is None:
            return
        self.slots.lower(allowance.left)
        if allowance.left >= self.slots.most or not allowance.next_s:
            self._due.pop(kind.purpose, None)
            return
        now_s = self._clock.monotonic_s()
        due = self._due.setdefault(kind.purpose, _Due(allowance, now_s))
        due.allowance, due.left = allowance, allowance.left
        if due.left or due.at_s <= now_s:
            due.at_s = now_s + allowance.next_s

    def await_allowance(self, kind: Kind, cancellation: Cancellation) -> float:
        """Wait until the host allows a request of this kind, as far as its last answers tell; the seconds that took.

        A HEAD does not wait, since it counts nowhere that we know. Nothing waits longer than the budget of the host:
        after that its own answer decides. Raises `Interrupted`.
        """
        if kind.method == "HEAD" or kind.purpose not in self._due:
            return 0.0
        began_s = self._clock.monotonic_s()
        with self._turns.turn(cancellation):
            due = self._due.get(kind.purpose)
            if due is not None:
                self._await(due, cancellation)
        return self._clock.monotonic_s() - began_s

    def _await(self, due: _Due, cancellation: Cancellation) -> None:
        if due.left > 0:
            due.left -= 1
            return
        wait_s = due.at_s - self._clock.monotonic_s()
        is_short = wait_s <= self._longest_s
        if wait_s > _TOLD_S and (is_short or not due.is_told):
            self._tell(due.allowance, wait_s, is_short)
        due.is_told = True
        if is_short:
            self._clock.sleep_s(max(0.0, wait_s), cancellation.wake)
            cancellation.check()
            due.at_s = self._clock.monotonic_s() + (due.allowance.next_s or 0)

    def _tell(self, allowance: Allowance, wait_s: float, is_short: bool) -> None:
        until_s = self._clock.wall_s() + wait_s
        waited_s = wait_s if is_short else 0.0
        self._listen(
            HostTroubled(
                self.name, "limited", 0.0, self._longest_s, wait_s=waited_s, until_s=until_s, allowance=allowance
            )
        )

    def failed(
        self,
        kind: Kind,
        round_: int,
        error: TransloadError,
        doing: str,
        wanted_s: float | None = None,
        *,
        is_extra: bool = False,
    ) -> TransloadError:
        """Leave the host alone for a while, or for good. Returns the error to raise.

        A request that `is_extra` is not repeated: others do its work.
        """
        if error.retryable:
            pause_s = self.backoff.failed(round_, wanted_s, self.patience.longest_pause_s(kind))
            self.patience.failed(
                kind, error, self.backoff.failures, pause_s, self.slots.at_a_time, is_repeated=not is_extra
            )
        over = self.patience.is_over() and self.patience.known  # a host that never answered gets its own error
        return self.patience.error(doing) if over else error

    def put_off(
        self, kind: Kind, round_: int, status: int, headers: Mapping[str, str], doing: str, *, is_extra: bool = False
    ) -> None:
        """The host cannot answer now. Leave it alone for a while, or give it up with this as its last answer.

        If it has too much to do, fewer requests at a time go to it from now on. Requests that fail together count once.
        One that `is_extra` need not be asked again. If it should wait for too long, the host may still answer others.
        """
        if status in CROWDED and self.backoff.is_first(round_):
            self.slots.halve()
        now_s = self._clock.wall_s()
        wanted_s = retry_after_s(headers, now_s)
        if wanted_s is None and status == 429:
            wanted_s = renewed_s(headers, now_s)
        trouble = TooManyRequests if status == 429 else ServerTrouble
        if wanted_s is not None and wanted_s > self.patience.longest_pause_s(kind):
            if is_extra:
                return
            if self.patience.may_count_closed(kind):
                wanted_s = None
        error = trouble(f"{doing}: {self.name} answers {status}", subject=self.name, retry_after_s=wanted_s)
        if wanted_s is None or not self.patience.refuse(kind, wanted_s, error):
            self.failed(kind, round_, error, doing, wanted_s, is_extra=is_extra)

    def rest_alone(self, trial: Trial, beyond: int, error: TransloadError, cancellation: Cancellation) -> None:
        """Let one request wait that is in trouble while others succeed, the `beyond`-th time past the usual attempts.

        The waits grow, and the others go on meanwhile. Raises `Interrupted`.
        """
        troubled_s = self._clock.monotonic_s() - trial.began_s
        left_s = max(0.0, self._longest_s * _ALONE_SHARE - troubled_s)
        pause_s = min(delay_s(beyond + 2, None, self._jitter()), left_s)
        if pause_s > _TOLD_S:
            self._listen(
                HostTroubled(
                    self.name,
                    "retrying",
                    troubled_s,
                    left_s,
                    attempt=trial.attempt + 1,
                    attempts=trial.attempt + attempts_ahead(beyond + 2, left_s, 0.0),
                    wait_s=pause_s,
                    error=error,
                    side=error.side,
                    until_s=self._clock.wall_s() + pause_s,
                )
            )
        self._clock.sleep_s(pause_s, cancellation.wake)
        cancellation.check()


@define
class Trial:
    """One request and its retries: since when, how often, and at which host it failed last."""

    began_s: float
    attempt: int = 0
    host: Host | None = None

    def is_enough(self, settings: NetSettings, now_s: float, *, resting: bool, passing: bool) -> bool:
        """Whether to stop retrying.

        For a host that is `resting` (restarting, overloaded, out of reach) retries go on as long as its budget lasts.
        If it served other requests meanwhile, only this request is in trouble. Where such trouble is `passing` as a
        rule, it gets a share of that time.
        """
        took_s = now_s - self.began_s
        if took_s >= settings.give_up_after_s or (self.host and self.host.patience.is_over()):
            return True
        if self.attempt < settings.attempts:
            return False
        if self.host is None or not self.is_alone:
            return not resting
        if not passing or self.host.waited_in_vain:
            return True
        self.host.waited_in_vain = took_s >= settings.give_up_after_s * _ALONE_SHARE
        return self.host.waited_in_vain

    def found_no_connection(self) -> None:
        """The host accepts no further one. If others get on meanwhile, it has as many as it takes, and gets no more."""
        if self.host is not None and self.is_alone:
            self.host.slots.keep_to_these()

    @property
    def is_alone(self) -> bool:
        """Whether the host gave other requests a useful answer since this one began."""
        useful_s = self.host.patience.useful_s if self.host else None
        return useful_s is not None and useful_s > self.began_s
