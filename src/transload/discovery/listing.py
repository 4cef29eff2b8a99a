"""Findings become a list of images: one entry for each image, with every place that names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os.path import dirname, normpath

from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Address, Discovered, Finding, Irrelevant, Place, Question, Sureness, Unread
from transload.errors import LimitExceeded
from transload.limits import DISCOVERED_PLACES
from transload.oci import Digest, Reference
from transload.oci.reference import shown
from transload.values import define, field, frozen


@frozen(kw_only=True)
class FoundImage:
    """An image that was found.

    `texts` are the ways in which it is written, `rules` say why each was taken for an image, `running` are the digests
    that nodes really run under this name. It is `certain` if one place is.
    """

    reference: Reference
    texts: tuple[str, ...]
    places: tuple[Place, ...]
    rules: tuple[str, ...]
    sureness: Sureness
    running: tuple[Digest, ...] = ()


@frozen(kw_only=True)
class OpenQuestion:
    """A text that may name an image, why that could not be decided, and every place where it stands."""

    text: str
    reason: str
    places: tuple[Place, ...]


@frozen(kw_only=True)
class Listing:
    """What was found: `images` and `questions` in their order of appearance.

    `unread` are documents and files that could not be read. `irrelevant` counts those that can name no image.
    """

    images: tuple[FoundImage, ...] = ()
    questions: tuple[OpenQuestion, ...] = ()
    unread: tuple[Unread, ...] = ()
    irrelevant: int = 0


@define
class _Gathered:
    """An entry or a question while its places are gathered; dictionaries keep the order, and each item once."""

    places: dict[Place, None] = field(factory=dict)
    texts: dict[str, None] = field(factory=dict)
    rules: dict[str, None] = field(factory=dict)
    running: dict[Digest, None] = field(factory=dict)
    certain: bool = False

    def add(self, finding: Finding) -> None:
        self.places[finding.place] = None
        self.texts[finding.text] = None
        self.rules[finding.rule] = None
        self.certain |= finding.sureness == "certain"
        if finding.digest is not None:
            self.running[finding.digest] = None

    def entry(self, reference: Reference) -> FoundImage:
        return FoundImage(
            reference=reference,
            texts=tuple(self.texts),
            places=tuple(self.places),
            rules=tuple(self.rules),
            sureness="certain" if self.certain else "likely",
            running=tuple(self.running),
        )


_Asked = tuple[str, str, str | None, str | None]
"""The fields of a question without its place."""


def listed(discovered: Iterable[Discovered]) -> Listing:
    """The list of what was discovered. Names that Docker's rules make the same are one image: `nginx:1` and
    `docker.io/library/nginx:1`. A question that another of the files answers is none. Raises `LimitExceeded`.
    """
    entries: dict[Reference, _Gathered] = {}
    of_text: dict[str, _Gathered] = {}
    questions: dict[_Asked, _Gathered] = {}
    addresses: dict[str, str] = {}
    unread: list[Unread] = []
    files: set[str] = set()
    irrelevant = 0
    for item in _bounded(discovered):
        files.add(item.place.file.partition("!")[0])  # of a packed chart, the chart
        if isinstance(item, Finding):
            gathered = of_text.get(item.text)
            if gathered is None:
                gathered = of_text[item.text] = entries.setdefault(Reference.parse(item.text), _Gathered())
            gathered.add(item)
        elif isinstance(item, Question):
            asked = item.text, item.reason, item.answered_by, item.source
            questions.setdefault(asked, _Gathered()).places[item.place] = None
        elif isinstance(item, Unread):
            unread.append(item)
        else:
            irrelevant += 1
            if isinstance(item, Address):
                addresses[item.name] = item.address
    images = tuple(gathered.entry(reference) for reference, gathered in entries.items())
    return Listing(
        images=images,
        questions=(*_still_open(questions, files, addresses), *_run_differently(images)),
        unread=tuple(unread),
        irrelevant=irrelevant,
    )


def _bounded(discovered: Iterable[Discovered]) -> Iterator[Discovered]:
    """The same, as long as there is memory for all places. Raises `LimitExceeded`."""
    places = 0
    for item in discovered:
        places += not isinstance(item, Irrelevant)
        if places > DISCOVERED_PLACES:
            raise LimitExceeded(
                f"more than {DISCOVERED_PLACES} places name images or cannot be read",
                hint="discover fewer files at a time",
            )
        yield item


def _still_open(
    questions: Mapping[_Asked, _Gathered], files: Iterable[str], addresses: Mapping[str, str]
) -> tuple[OpenQuestion, ...]:
    """Those that no file answers which was read, too, with the addresses that are known; a text and a reason once."""
    read = set(map(normpath, files))
    read |= set(map(dirname, read))
    still_open: dict[tuple[str, str], _Gathered] = {}
    for (text, reason, answer, source), gathered in questions.items():
        if answer is not None and normpath(answer) in read:
            continue
        if source is not None:
            address = addresses.get(source, "").rstrip("/")
            if address and not text:
                continue  # the document with the address asks about what is there
            text = shown(f"{address}/{text}") if address else f"{text} of {source}" if text else source
        still_open.setdefault((text, reason), _Gathered()).places.update(gathered.places)
    return tuple(
        OpenQuestion(text=text, reason=reason, places=tuple(gathered.places))
        for (text, reason), gathered in still_open.items()
    )


def _run_differently(images: Iterable[FoundImage]) -> Iterator[OpenQuestion]:
    """A question for each tag under which nodes run several images: which of them is meant?"""
    for image in images:
        if image.reference.name.digest is None and len(image.running) > 1:
            reason = f"nodes run {len(image.running)} different images under this name: {', '.join(image.running)}"
            yield OpenQuestion(text=str(image.reference), reason=reason, places=image.places)


def without_use(listing: Listing, fields: Iterable[FieldPath]) -> Sequence[FieldPath]:
    """The paths that no document has: each value that a path leads to is in the listing, as an image or a question."""
    entries: tuple[FoundImage | OpenQuestion, ...] = (*listing.images, *listing.questions)
    return [path for path in fields if not any(path.leads_to(place) for entry in entries for place in entry.places)]


def open_points(listing: Listing) -> Sequence[OpenQuestion]:
    """The questions, and what could not be read as questions too: an image may be named there."""
    unread = (OpenQuestion(text="", reason=item.reason, places=(item.place,)) for item in listing.unread)
    return (*listing.questions, *unread)
