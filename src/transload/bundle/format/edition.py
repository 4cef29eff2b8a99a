"""Which edition of which set a bundle is, so that the far side can tell an older bundle from a newer one."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import EDITION_NAMES
from transload.values import field, frozen

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LETTERS = 128  # of a name; tags, and names of catalogs and image sets, are no longer


def _name(_edition: object, attribute: Any, text: str) -> None:
    if not 0 < len(text) <= _LETTERS or not text.isprintable():
        raise DocumentInvalid(f"{text[:40]!r} cannot be a {attribute.name} in an edition")


@frozen
class BundledRelease:
    """A release that a bundle holds whole: its catalog, its tag, and the day of its publication, if it is known."""

    catalog: str = field(validator=_name)
    tag: str = field(validator=_name)
    date: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As it stands in a ledger."""
        return {"catalog": self.catalog, "tag": self.tag, "date": self.date}

    @classmethod
    def of(cls, value: Value) -> BundledRelease:
        """Raises `DocumentInvalid`."""
        value.only("catalog", "tag", "date")
        date = value.get("date").maybe(Value.text)
        if date is not None and not (len(date) <= _LETTERS and date.isprintable()):
            raise value.get("date").wrong("a date")
        return value.get("catalog").read(lambda catalog: value.get("tag").read(lambda tag: cls(catalog, tag, date)))


@frozen(kw_only=True)
class Edition:
    """When a bundle was packed (UTC, whole seconds), the `sets` that it holds whole, by name, and their releases.

    The time is that of the machine that packed; who signs the bundle answers for it.
    """

    packed: datetime
    sets: tuple[str, ...] = ()
    releases: tuple[BundledRelease, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As it stands in a ledger."""
        return {
            "packed": time_text(self.packed),
            "sets": list(self.sets),
            "releases": [release.to_json() for release in self.releases],
        }

    @classmethod
    def of(cls, value: Value) -> Edition:
        """Raises `DocumentInvalid`."""
        value.only("packed", "sets", "releases")
        for key in ("sets", "releases"):
            if len(tuple(value.get(key).items())) > EDITION_NAMES:
                raise value.get(key).wrong(f"at most {EDITION_NAMES} entries")
        sets = value.get("sets").texts()
        if any(not 0 < len(name) <= _LETTERS or not name.isprintable() for name in sets):
            raise value.get("sets").wrong("names of sets")
        releases = tuple(map(BundledRelease.of, value.get("releases").items()))
        return cls(packed=value.get("packed").read(time_in), sets=sets, releases=releases)


def time_text(time: datetime) -> str:
    """A time in UTC as ledgers and the state folder have it.

    >>> time_text(datetime(1, 1, 1, tzinfo=UTC)), time_text(datetime(2026, 11, 27, 8, 30, tzinfo=UTC))
    ('0001-01-01T00:00:00Z', '2026-11-27T08:30:00Z')
    """
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def time_in(text: str) -> datetime:
    """The time in a text that `time_text` wrote. Raises `DocumentInvalid` for any other text."""
    with contextlib.suppress(ValueError):
        time = datetime.strptime(text, _TIME).replace(tzinfo=UTC)
        if time_text(time) == text:
            return time
    raise DocumentInvalid("expected a time such as 2026-11-27T08:30:00Z")
