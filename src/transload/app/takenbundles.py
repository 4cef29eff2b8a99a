"""Which bundles were taken here: for each target, set and signer the newest one, in the state folder.

A bundle whose signature was not checked with a key belongs to nobody, whatever it says. So it never stands in the way
of signed ones. A file that cannot be used is as good as none, and who reads says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from transload.app.location import Location
from transload.app.statefile import StateFile, StateUnusable
from transload.bundle.format.edition import BundledRelease, Edition, time_text
from transload.bundle.format.ledger import Ledger
from transload.documents.value import Document, Value
from transload.errors import LocalError, NotFound, TransloadError
from transload.oci import Digest
from transload.oci.reference import shown
from transload.report.bundleorder import BundleFacts
from transload.report.texts import count
from transload.values import evolve, frozen

FILE = "taken-bundles.json"
_KIND = "transload-taken-bundles"
_KEPT = 1_000  # sets of one signer at one target
_LETTERS = 4_096
_NAMED = 2  # sets, repositories or releases in a sentence
_NAMED_TARGETS = 8
_KEYS = ("target", "set", "name", "signer", "ledger", "images", "edition", "taken", "run_id")


@frozen(kw_only=True)
class TakenBundle:
    """A bundle: its ledger's digest, its edition, when it was taken by this machine's clock, and in which run.

    `images` stands for its images: two bundles with the same one have the same images.
    """

    ledger: Digest
    images: Digest
    edition: Edition | None
    taken: str = ""
    run_id: str = ""

    @property
    def facts(self) -> BundleFacts:
        """What is told of it."""
        edition = self.edition.to_json() if self.edition else None
        words = edition_words(self.edition)
        return BundleFacts(ledger=self.ledger, edition=edition, words=words, taken=self.taken, run_id=self.run_id)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        edition = self.edition.to_json() if self.edition else None
        known = {"ledger": self.ledger, "images": self.images, "edition": edition}
        return {**known, "taken": self.taken, "run_id": self.run_id}


@frozen
class Place:
    """What is compared with each other: bundles of one `set` by one `signer` (None: not proved) for one `target`."""

    target: str
    set: str
    signer: str | None


@frozen
class Entry:
    """The newest bundle of a place, and the name of its set for people."""

    place: Place
    name: str
    bundle: TakenBundle

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file, and in the output of `forget --list`."""
        place, bundle = self.place, self.bundle
        known = {"target": place.target, "set": place.set, "name": self.name, "signer": place.signer}
        return {**known, **bundle.to_json()}

    @classmethod
    def of(cls, value: Value) -> Entry:
        """Raises `TransloadError`."""
        value.only(*_KEYS)
        bundle = TakenBundle(
            ledger=value.get("ledger").read(Digest),
            images=value.get("images").read(Digest),
            edition=value.get("edition").maybe(Edition.of),
            taken=_text(value.get("taken")),
            run_id=_text(value.get("run_id")),
        )
        place = Place(_text(value.get("target")), _text(value.get("set")), value.get("signer").maybe(_text))
        return cls(place, _text(value.get("name")), bundle)


def _text(value: Value) -> str:
    text = value.text()
    if len(text) > _LETTERS or not text.isprintable():  # these texts are printed to terminals
        raise value.wrong("printable text")
    return text


class TakenBundles:
    """The bundles that were taken, in `folder`. With None, nothing is known and nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self._file = StateFile(folder, FILE, _KIND)

    @property
    def path(self) -> Path | None:
        """Where the file is, or would be."""
        return self._file.path

    def entries(self, target: str | None = None) -> tuple[Entry, ...]:
        """All entries, or those of one target, by the time at which they were taken. Raises `StateUnusable`."""
        found = _read(self._file.read())
        return tuple(entry for entry in found if target in {None, entry.place.target})

    def keep(self, entry: Entry) -> None:
        """Remember a bundle in place of the one that was the newest. Raises `StateUnusable`."""

        def change(entries: list[Any]) -> list[Any]:
            others = [other for other in _read(entries) if other.place != entry.place]
            return [kept.to_json() for kept in (*_fewer(others), entry)]

        self._file.change(change)

    def forget(self, target: str | None) -> tuple[Entry, ...]:
        """Forget what was taken for a target, or for all. Returns what it was. Raises `StateUnusable`."""
        gone: list[Entry] = []

        def change(entries: list[Any]) -> list[Any]:
            known = _read(entries)
            gone.extend(entry for entry in known if target in {None, entry.place.target})
            return [entry.to_json() for entry in known if entry not in gone]

        path = self.path
        if path is not None and path.exists():
            self._file.change(change)
        return tuple(gone)


def _read(entries: Iterable[Any]) -> list[Entry]:
    """The entries that can be read; one that cannot is left out, and so is a second one of a place."""
    found: dict[Place, Entry] = {}
    for content in entries:
        try:
            entry = Entry.of(Value(content, Document(FILE)))
        except TransloadError:
            continue
        found[entry.place] = entry
    return list(found.values())


def _fewer(entries: list[Entry]) -> list[Entry]:
    """Room for one more: the oldest of nobody's go first, so that no stranger's bundles drive out signed ones."""
    surplus = len(entries) + 1 - _KEPT
    if surplus <= 0:
        return entries
    first = sorted(entries, key=lambda entry: entry.place.signer is not None)
    gone = first[:surplus]
    return [entry for entry in entries if entry not in gone]


def bundles_taken(state: Path | None) -> tuple[tuple[Entry, ...], str | None]:
    """Every bundle that is remembered, and why none can be read."""
    taken = TakenBundles(state)
    try:
        return taken.entries(), None
    except StateUnusable as error:
        return (), f"{taken.path} {error}, so nothing is known of bundles that were taken here"


def forget_taken(state: Path | None, targets: Iterable[str]) -> tuple[Entry, ...]:
    """Forget which bundles were taken for these targets, or for all if none is named. Returns what it was.

    Raises `NotFound` if nothing is known about one of them; then none is forgotten. `UsageError` and
    `ReferenceInvalid` for what is no target, `LocalError` if the file cannot be changed.
    """
    taken = TakenBundles(state)
    wanted = dict.fromkeys(target_key(Location.parse(target)) for target in targets)
    try:
        known = {entry.place.target for entry in taken.entries()} if wanted else set()
        for target in wanted:
            if target not in known:
                there = ", ".join(sorted(known)[:_NAMED_TARGETS])
                raise NotFound(
                    f"no bundle is known that was taken for {target}",
                    subject=target,
                    hint=f"known are: {there}" if known else "nothing is known of any bundle",
                )
        return tuple(entry for target in wanted or (None,) for entry in taken.forget(target))
    except StateUnusable as error:
        raise LocalError(f"{taken.path} {error}", hint="delete it, or correct what is wrong with it") from error


def target_key(location: Location) -> str:
    """How the file names a target: as people write it, a path in full."""
    if location.kind == "registry":
        return str(location)
    return str(evolve(location, value=str(Path(location.value).absolute())))


def set_of(ledger: Ledger) -> tuple[str, str]:
    """The set that a bundle is of, and its name for people: the sets that it says it has, else its repositories."""
    sets = ledger.edition.sets if ledger.edition else ()
    if sets:
        return f"sets {' '.join(sets)}"[:_LETTERS], _named([shown(name) for name in sets])
    repositories = sorted({entry.image.name.repository for entry in ledger.images})
    digest = Digest.of("\n".join(repositories).encode())
    return f"repositories {digest}", _named([shown(name) for name in repositories])


def _named(names: list[str]) -> str:
    if len(names) <= _NAMED + 1:
        return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:]))) or "no image"
    return f"{', '.join(names[:_NAMED])} and {count(len(names) - _NAMED, 'other')}"


def bundle_of(ledger: Ledger) -> TakenBundle:
    """What is remembered of a bundle."""
    images = "\n".join(f"{entry.image.name} {entry.image.root.digest}" for entry in ledger.images)
    return TakenBundle(ledger=ledger.text.digest, images=Digest.of(images.encode()), edition=ledger.edition)


def edition_words(edition: Edition | None) -> str:
    """Which edition it is, for people: its releases, or when it was packed."""
    if edition is None:
        return "a bundle that does not say when it was packed"
    packed = f"packed {moment_words(edition.packed)}"
    if not edition.releases:
        return packed
    return f"{_releases(edition.releases)}, {packed}"


def moment_words(time: datetime) -> str:
    """A time in UTC for people.

    >>> from datetime import UTC
    >>> moment_words(datetime(2026, 11, 27, 8, 30, tzinfo=UTC))
    '2026-11-27 08:30:00 UTC'
    """
    return time_text(time).replace("T", " ").replace("Z", " UTC")


def _releases(releases: tuple[BundledRelease, ...]) -> str:
    tags = list(dict.fromkeys(release.tag for release in releases))
    return ", ".join(tags if len(tags) <= _NAMED else [tags[0], "…", tags[-1]])
