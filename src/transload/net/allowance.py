"""What registries say of a limit on requests: how many are left, and when there are more. Pure.

Docker Hub sends `ratelimit-limit: 100;w=21600` and `ratelimit-remaining: 76;w=21600` with manifests; GitLab, GitHub and
others `RateLimit-…` or `X-RateLimit-…` with `Reset`, as seconds to wait or as seconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping

from transload.events import Allowance
from transload.expressions import late
from transload.net.backoff import asked_s

_COUNT = late(r"\s{0,9}([0-9]{1,9})(?:\s{0,9};\s{0,9}w=([0-9]{1,9}))?")


def allowance_in(headers: Mapping[str, str], now_s: float) -> Allowance | None:
    """What an answer says; None if it says nothing. `now_s` is our clock, in seconds since 1970.

    Without a moment of renewal, there is one request more after the share of the window that each has.
    """
    if "RateLimit-Remaining" not in headers and "X-RateLimit-Remaining" not in headers:  # most answers: no time for it
        return None
    left, window_s = _count(headers, "Remaining")
    if left is None:
        return None
    of, window_of_s = _count(headers, "Limit")
    window_s = window_of_s or window_s
    next_s = renewed_s(headers, now_s)
    if next_s is None and of and window_s:
        next_s = window_s / of
    return Allowance(left, of, window_s, next_s)


def renewed_s(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """The seconds until there are new requests; None if the answer does not say. `now_s` as for `asked_s`."""
    return asked_s(_header(headers, "Reset"), headers, now_s)


def _count(headers: Mapping[str, str], what: str) -> tuple[int | None, int | None]:
    """The number in a header, and the window in seconds that it is for."""
    form = _COUNT.match(_header(headers, what))
    return (int(form[1]), int(form[2]) if form[2] else None) if form else (None, None)


def _header(headers: Mapping[str, str], what: str) -> str:
    return headers.get(f"RateLimit-{what}") or headers.get(f"X-RateLimit-{what}") or ""
