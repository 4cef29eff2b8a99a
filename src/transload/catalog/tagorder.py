"""Which tags are releases, and which of two releases is newer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from transload.errors import ReferenceInvalid
from transload.oci.reference import check_tag
from transload.values import frozen

Order = Literal["version", "listed"]

VERSION_PATTERN = r"v?([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:_([A-Za-z0-9_.-]+))?"
"""Optional v, major.minor, optional patch, optional label: what `az arcdata` accepts as a version."""

_Part = tuple[int, int, str]
Key = tuple[int, tuple[_Part, ...]]
"""The greater key is the newer release."""


@frozen
class TagOrder:
    """The order of a catalog's releases.

    `version`: tags that match the whole pattern are ordered by its groups, from first to last, digits as numbers and
    everything else as text. Releases of the catalog that do not match are older, in the order of the catalog.
    `listed`: the order of the catalog, oldest first. Tags that match the pattern but are not listed count as older
    than all of them, since nothing says where they belong.
    """

    order: Order
    pattern: re.Pattern[str] | None
    positions: Mapping[str, int]

    def key(self, tag: str) -> Key | None:
        """The key to sort `tag` by; None for a tag that is no release."""
        groups = self._groups(tag)
        position = self.positions.get(tag)
        if self.order == "version":
            if groups is not None:
                return (1, (*groups, (2, 0, tag)))
            return None if position is None else (0, ((1, position, ""),))
        if position is not None:
            return (1, ((1, position, ""),))
        return None if groups is None else (0, ((2, 0, tag),))

    def newest_first(self, tags: Iterable[str]) -> list[str]:
        """The releases among `tags`, each once, newest first."""
        keyed = [(key, tag) for tag in set(tags) if (key := self.key(tag)) is not None]
        return [tag for _, tag in sorted(keyed, reverse=True)]

    def _groups(self, tag: str) -> tuple[_Part, ...] | None:
        match = self.pattern.fullmatch(tag) if self.pattern and _is_tag(tag) else None
        return None if match is None else tuple(_part(group) for group in match.groups())


def _part(group: str | None) -> _Part:
    """A missing part is older than any, a number older than a word."""
    if not group:
        return (0, 0, "")
    return (1, int(group), "") if group.isascii() and group.isdigit() else (2, 0, group)


def _is_tag(text: str) -> bool:
    try:
        check_tag(text)
    except ReferenceInvalid:
        return False
    return True
