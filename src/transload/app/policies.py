"""Which policy is in force: the one that is named, else that of the image set, else `transload.yaml` beside it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from transload.app.naming import kind_of
from transload.catalog.listfile import is_document
from transload.errors import DocumentInvalid, UsageError
from transload.expressions import late
from transload.files import expanded
from transload.values import frozen

if TYPE_CHECKING:
    from transload.trust.policy import Policy

BESIDE = "transload.yaml"
"""The policy of the image sets that lie in the same folder."""


_TIME = late(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")


def time_in(text: str) -> datetime:
    """The time in a text of RFC 3339, in UTC. Raises `UsageError`.

    >>> time_in("2026-11-26T12:00:00+01:00")
    datetime.datetime(2026, 11, 26, 11, 0, tzinfo=datetime.timezone.utc)
    """
    with contextlib.suppress(ValueError, OverflowError):
        if _TIME.fullmatch(text.strip()):
            return datetime.fromisoformat(text.strip().upper()).astimezone(UTC)
    raise UsageError(
        f"{text[:40]!r} is not a point in time", hint="write day, time and zone: 2026-11-26T12:00:00Z, or …+01:00"
    )


@frozen
class _Place:
    """Where a policy is: in a file of its own, or under `policy` in an image set."""

    path: Path
    is_set: bool


def find_policy(given: Path | None, sets: Iterable[str] = ()) -> Policy | None:
    """The policy in the file `given`; without it that of the image sets among `sets`; None if they have none.

    Raises `LocalError`, `DocumentInvalid`, and `UsageError` if two sets have different policies, of which one would
    not be in force for all images.
    """
    places = [_Place(given, False)] if given else _all_places(sets)
    if len(places) > 1:
        named = " and ".join(str(place.path) for place in places)
        raise UsageError(f"these sets have different policies: {named}", hint="name one with --policy FILE")
    if given or not places or places[0].is_set:
        return _read(places[0]) if places else None
    try:
        return _read(places[0])
    except DocumentInvalid as error:
        beside = f"{BESIDE} beside an image set is its policy: correct it, give it another name, or add --no-policy"
        error.hint = f"{error.hint}; {beside}" if error.hint else beside
        raise


def left_out(given: Path | None, sets: Iterable[str] = ()) -> tuple[Path, ...]:
    """The policies of image sets that are not in force, since another one is named, or none is wanted."""
    return tuple(place.path for place in _all_places(sets) if given is None or not _same(place.path, given))


def _same(path: Path, other: Path) -> bool:
    return other.exists() and path.samefile(other)


def _all_places(sets: Iterable[str]) -> list[_Place]:
    """Each once, by whatever path it is named."""
    return list({(place.path.resolve(), place.is_set): place for text in sets for place in _places(text)}.values())


def _places(text: str) -> Iterator[_Place]:
    if kind_of(text) != "file":
        return
    path = expanded(text)
    if not path.is_file():  # whoever reads the set says so
        return
    beside = path.parent / BESIDE
    if _has_policy(path):
        yield _Place(path, True)
    elif beside.is_file() and not beside.samefile(path):
        yield _Place(beside, False)


def _has_policy(path: Path) -> bool:
    if not is_document(path):
        return False
    from transload.catalog.setfile import policy_in  # few runs read a set

    return policy_in(path) is not None


def _read(place: _Place) -> Policy:
    from transload.trust.policyfile import policy_of, read_policy  # few runs have a policy

    if not place.is_set:
        return read_policy(place.path)
    from transload.catalog.setfile import policy_in

    value = policy_in(place.path)
    assert value is not None  # noqa: S101 - it was there a moment ago
    return policy_of(value, place.path.parent, str(place.path))
