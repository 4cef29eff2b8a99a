"""Which events of a host people should see, so that a long trouble does not fill the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transload.events import HostTroubled

_NEWS_S = 2.5
_LONG_S = 2.0
_LIMITED_S = 60.0
_SELDOM_S = 60.0


class HostNews:
    """Of retries at a host people see the first, then fewer and fewer; and each wait much longer than those before.

    Of waits for a limit on requests they see one a minute. That a host answers again is news only if they have seen
    its trouble. A host that fails each second and answers again is told of less and less often: waits are short.
    """

    def __init__(self) -> None:
        self._retried: dict[str, tuple[float, float]] = {}
        self._limited_s: dict[str, float] = {}
        self._in_trouble: set[str] = set()
        self._troubles: dict[str, tuple[int, float]] = {}

    def is_for_people(self, event: HostTroubled) -> bool:
        """Whether people should see this event; it counts as seen then."""
        if event.state == "limited":
            return self._is_new_limit(event)
        if event.state == "back":
            seen = event.host in self._in_trouble
            self._in_trouble.discard(event.host)
            return seen
        if event.state == "retrying" and not self._is_new_retry(event):
            return False
        self._in_trouble.add(event.host)
        return True

    def _is_new_limit(self, event: HostTroubled) -> bool:
        until_s = event.until_s or 0.0
        if until_s < self._limited_s.get(event.host, 0.0) + _LIMITED_S:
            return False
        self._limited_s[event.host] = until_s
        return True

    def _is_new_retry(self, event: HostTroubled) -> bool:
        told_s, longest_s = self._retried.get(event.host, (-_NEWS_S, 0.0))
        if event.host not in self._in_trouble and event.wait_s <= _LONG_S and not self._is_due(event):
            return False
        past_s = event.troubled_s - told_s
        longest_s = longest_s if past_s >= 0 else 0.0  # below 0, it is another trouble
        longer = event.wait_s > max(_LONG_S, 1.5 * longest_s)
        if not (longer or past_s < 0 or past_s >= max(_NEWS_S, event.troubled_s / 4)):
            return False
        self._retried[event.host] = event.troubled_s, max(longest_s, event.wait_s)
        return True

    def _is_due(self, event: HostTroubled) -> bool:
        """Whether a short trouble comes long enough after the last one that was told."""
        if event.until_s is None:
            return True
        number, last_s = self._troubles.get(event.host, (0, 0.0))
        if event.until_s < last_s + min(_SELDOM_S, _NEWS_S * 2.0**number):
            return False
        self._troubles[event.host] = min(number + 1, 10), event.until_s
        return True
