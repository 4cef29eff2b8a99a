"""What a bundle says of itself: the sets and releases that it holds whole, and when its content was first packed.

The time is kept: the same content gets the same time, and so the same bytes, when it is packed again on this machine.
It is found, in this order, in SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), in the
bundle that is there already, whole or begun, in the state folder; else it is now.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from transload.app.job import Job
from transload.app.selection import Selection
from transload.app.statefile import StateFile, StateUnusable
from transload.app.stores import Stores
from transload.bundle.format.blueprint import listed, placed
from transload.bundle.format.contents import Contents
from transload.bundle.format.edition import BundledRelease, Edition, time_in, time_text
from transload.bundle.format.ledger import Ledger
from transload.bundle.reading.reader import BundleStore
from transload.bundle.writing.partial import begun
from transload.clock import SYSTEM_CLOCK
from transload.errors import TransloadError, UsageError
from transload.limits import EDITION_NAMES
from transload.oci import Digest
from transload.oci.reference import shown
from transload.values import evolve

FILE = "packed-contents.json"
_KIND = "transload-packed-contents"
_KEPT = 2_000  # contents whose time is kept: a year of six a day
_FIRST_VOLUMES = (".001.tar", ".0001.tar", ".tar")
_NAME_LETTERS = 128
_EPOCH_DIGITS = 11  # until the year 5138
_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)


def with_edition(contents: Contents, selection: Selection, job: Job, out: Path, stores: Stores) -> Contents:
    """The same contents for the bundle at `out`, with their edition."""
    bare = Edition(packed=_NO_TIME, sets=_sets(selection, job), releases=_releases(selection, job))
    timeless = listed(evolve(contents, edition=bare))
    return evolve(contents, edition=evolve(bare, packed=_time(timeless, out, stores)))


def _time(timeless: Ledger, out: Path, stores: Stores) -> datetime:
    if stores.environment.source_date:
        return _given(stores.environment.source_date)
    there = _time_there(timeless, out) or begun(out)
    known = _Known(stores.environment.state)
    digest = timeless.text.digest
    time = there or known.time(digest) or datetime.fromtimestamp(int(SYSTEM_CLOCK.wall_s()), UTC)
    known.keep(digest, time)
    return time


def _given(text: str) -> datetime:
    """The time in SOURCE_DATE_EPOCH. Raises `UsageError`."""
    if not (text.isascii() and text.isdigit() and len(text) <= _EPOCH_DIGITS):
        raise UsageError(
            f"SOURCE_DATE_EPOCH is {shown(text)}, which is no number of seconds since 1970",
            hint="unset it, or write for example: export SOURCE_DATE_EPOCH=$(date +%s)",
        )
    return datetime.fromtimestamp(int(text), UTC)


def _time_there(timeless: Ledger, out: Path) -> datetime | None:
    """The time of the bundle that is there, if it has the same content."""
    for name in (out.name, *(f"{out.name}{ending}" for ending in _FIRST_VOLUMES)):  # there may be two of one name
        with contextlib.suppress(TransloadError, OSError):
            there = BundleStore(out.with_name(name)).ledger
            if there.edition is not None and _timeless(there) == timeless:
                return there.edition.packed
    return None


def _timeless(ledger: Ledger) -> Ledger:
    """The ledger without its time, without what its cut or a signature changes."""
    edition = ledger.edition and evolve(ledger.edition, packed=_NO_TIME)
    return placed(evolve(ledger, edition=edition, volume_bytes=None), 0)


class _Known:
    """The times of contents that were packed on this machine. Without them, the same content gets a new time."""

    def __init__(self, folder: Path | None) -> None:
        self._file = StateFile(folder, FILE, _KIND)

    def time(self, digest: Digest) -> datetime | None:
        with contextlib.suppress(StateUnusable):
            for known, packed in map(_entry, self._file.read()):
                if known == digest:
                    return packed
        return None

    def keep(self, digest: Digest, time: datetime) -> None:
        entry = {"content": digest, "packed": time_text(time)}

        def change(entries: list[Any]) -> list[Any]:
            others = [other for other in entries if _entry(other)[0] not in {digest, None}]
            return [*others[1 - _KEPT :], entry]

        with contextlib.suppress(StateUnusable):
            self._file.change(change)


def _entry(entry: Any) -> tuple[str | None, datetime | None]:
    """The digest and the time in an entry; None for both if it is not one of ours."""
    if isinstance(entry, dict) and isinstance(entry.get("content"), str) and isinstance(entry.get("packed"), str):
        with contextlib.suppress(TransloadError):
            return entry["content"], time_in(entry["packed"])
    return None, None


def _sets(selection: Selection, job: Job) -> tuple[str, ...]:
    """The names of the sets that are packed whole."""
    if job.images:
        return ()
    names = {_printable(name) for name in selection.sets}
    return tuple(sorted(filter(None, names)))[:EDITION_NAMES]


def _releases(selection: Selection, job: Job) -> tuple[BundledRelease, ...]:
    if job.images:
        return ()
    found = (
        BundledRelease(_printable(chosen.catalog.name), chosen.release.tag, chosen.release.date)
        for chosen in selection.releases
    )
    return tuple(dict.fromkeys(found))[-EDITION_NAMES:]


def _printable(name: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in name)[:_NAME_LETTERS]
