"""Says which tags would go back to older content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from transload.wording import first_of

if TYPE_CHECKING:
    from transload.planning.ageing import GoingBack

_NAMED = 3  # tags in one sentence


def older_notes(tags: Iterable[GoingBack]) -> tuple[str, ...]:
    """Notes on tags that go back to older content, such as from a disk that is older than the target."""
    notes: dict[bool, list[GoingBack]] = {}
    for tag in tags:
        notes.setdefault(tag.doubtful, []).append(tag)
    return tuple(_older_note(same, doubtful=doubtful) for doubtful, same in sorted(notes.items()))


def _older_note(tags: Sequence[GoingBack], *, doubtful: bool) -> str:
    named, number = first_of(map(str, tags), _NAMED), "1 tag" if len(tags) == 1 else f"{len(tags)} tags"
    if doubtful:
        return f"{number} may go back to older content, or this machine's clock is behind: {named}"
    return f"{number} {'goes' if len(tags) == 1 else 'go'} back to older content: {named}"
