"""When a fault strikes: by count, by chance from a seed, by endpoint and subject."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterable

from transload.testing.laboratory.exchange import Answer, Asked, Onward
from transload.values import frozen

ALWAYS = 1 << 62

Act = Callable[[Asked, Onward, random.Random], Answer]
"""What a fault does to a request: it may pass it on, changed or not, and may change the answer."""


@frozen(kw_only=True)
class Fault:
    """A fault in requests `on` an endpoint.

    `on` is a method and a kind of endpoint, as "GET blob"; several are divided by `|`, and `*` is any: "PATCH|PUT
    upload", "* *". The kinds are `version`, `catalog`, `manifest`, `blob`, `uploads` (where sessions are opened),
    `upload` (an open session), `tags`, `referrers` and `unknown`. With `about`, only requests whose target contains
    that text: a digest, a repository, `page=`. The first `skip` fitting requests pass, the next `times` are spoilt.
    With `chance`, each is spoilt with that probability only (0 to 1), drawn from the laboratory's seed.
    """

    on: str
    act: Act
    about: str = ""
    skip: int = 0
    times: int = 1
    chance: float = 1.0

    def __attrs_post_init__(self) -> None:
        if len(self.on.split()) != 2:
            raise ValueError(f"{self.on!r} is not a method and a kind of endpoint, as 'GET blob'")

    def fits(self, asked: Asked) -> bool:
        """Whether a request is one of those that this fault is for."""
        methods, kinds = self.on.split()
        return (
            (methods == "*" or asked.method in methods.split("|"))
            and (kinds == "*" or asked.route.kind in kinds.split("|"))
            and self.about in asked.target
        )


class Script:
    """Faults in their order, each with the requests that are left to skip and to spoil.

    Chances do not depend on the order in which threads ask: they are drawn for the fault, the method, the endpoint and
    how often it was asked before.
    """

    def __init__(self, faults: Iterable[Fault], seed: object) -> None:
        self._seed = seed
        self._pending = [_Pending(fault) for fault in faults]
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """One more fault, after the others."""
        with self._lock:
            self._pending.append(_Pending(fault))

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._pending.clear()

    def next_for(self, asked: Asked) -> tuple[Fault, random.Random] | None:
        """The fault that this request gets, with the dice for it: the first that fits and has times left."""
        route = asked.route
        subject = route.repository if route.kind == "upload" else f"{route.repository} {route.reference}"
        key = f"{asked.method} {route.kind} {subject}"
        with self._lock:
            self._asked[key] += 1
            for number, pending in enumerate(self._pending):
                dice = random.Random(f"{self._seed} {number} {key} {self._asked[key]}")  # noqa: S311 - no secret
                if pending.strikes(asked, dice):
                    return pending.fault, dice
        return None


class _Pending:
    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self._skip = fault.skip
        self._times = fault.times

    def strikes(self, asked: Asked, dice: random.Random) -> bool:
        if not self._times or not self.fault.fits(asked):
            return False
        if self._skip:
            self._skip -= 1
            return False
        if dice.random() >= self.fault.chance:
            return False
        self._times -= 1
        return True
