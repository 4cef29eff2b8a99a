"""The names in a store. A registry behind this one is asked for them at most once a minute, not for each page."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import islice

from transload.clock import Clock
from transload.limits import PAGE_NAMES
from transload.oci import Name
from transload.ports import Source

KEPT_S = 60.0
UNTAGGED_S = 5.0
_LISTS = 20


class Names:
    """Lists of at most `PAGE_NAMES` names. Those that cost requests are kept for `KEPT_S`. Safe for threads."""

    def __init__(self, store: Source, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._kept: dict[str | None, tuple[float, list[str]]] = {}
        self._untagged: tuple[float, dict[str, list[Name]]] | None = None
        self._turn = threading.Lock()

    def repositories(self) -> list[str]:
        """Every repository; the empty one for images without a repository. Raises what the store raises."""
        return self._list(None, self._store.repositories)

    def tags(self, repository: str) -> list[str]:
        """Every tag of a repository. Raises what the store raises."""
        return self._list(repository, lambda: self._store.tags(repository))

    def untagged(self, repository: str) -> list[Name]:
        """The images of a repository that have no tag, where the store lists them; as they were seconds ago.

        Finding them means going through all names, so it is done for all repositories at once.
        """
        lists = getattr(self._store, "lists", None)
        if lists is None:
            return []
        with self._turn:
            now_s = self._clock.monotonic_s()
            if self._untagged is None or now_s - self._untagged[0] >= UNTAGGED_S:
                found: dict[str, list[Name]] = {}
                for name in islice(lists.untagged(), PAGE_NAMES):
                    if not name.repository:  # from here on there are only those without one, which cost more
                        break
                    found.setdefault(name.repository, []).append(name)
                self._untagged = (now_s, found)
            return self._untagged[1].get(repository, [])

    def _list(self, key: str | None, names: Callable[[], Iterator[str]]) -> list[str]:
        if self._store.request_costs is None:
            return list(islice(names(), PAGE_NAMES))
        with self._turn:
            now_s = self._clock.monotonic_s()
            since_s, kept = self._kept.pop(key, (0.0, None))
            if kept is None or now_s - since_s >= KEPT_S:
                since_s, kept = now_s, list(islice(names(), PAGE_NAMES))
            self._kept[key] = since_s, kept
            while len(self._kept) > _LISTS:
                self._kept.pop(next(iter(self._kept)))
            return kept
