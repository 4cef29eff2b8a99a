"""Findings become a list of images: one entry for each image, with every place that names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os.path import normpath

from attrs import define, field, frozen

from transload.discovery.finding import Discovered, Finding, Irrelevant, Place, Question, Sureness, Unread
from transload.oci import Digest, Reference


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


def listed(discovered: Iterable[Discovered]) -> Listing:
    """The list of what was discovered. Names that Docker's rules make the same are one image: `nginx:1` and
    `docker.io/library/nginx:1`. A question that another of the files answers is none.
    """
    entries: dict[Reference, _Gathered] = {}
    of_text: dict[str, _Gathered] = {}
    questions: dict[tuple[str, str, str | None], _Gathered] = {}
    unread: list[Unread] = []
    files: set[str] = set()
    irrelevant = 0
    for item in discovered:
        files.add(item.place.file)
        if isinstance(item, Finding):
            gathered = of_text.get(item.text)
            if gathered is None:
                gathered = of_text[item.text] = entries.setdefault(Reference.parse(item.text), _Gathered())
            gathered.add(item)
        elif isinstance(item, Question):
            questions.setdefault((item.text, item.reason, item.answered_by), _Gathered()).places[item.place] = None
        elif isinstance(item, Unread):
            unread.append(item)
        else:
            irrelevant += isinstance(item, Irrelevant)
    images = tuple(gathered.entry(reference) for reference, gathered in entries.items())
    return Listing(
        images=images,
        questions=(*_without_answered(questions, files), *_run_differently(images)),
        unread=tuple(unread),
        irrelevant=irrelevant,
    )


def _without_answered(
    questions: dict[tuple[str, str, str | None], _Gathered], files: Iterable[str]
) -> tuple[OpenQuestion, ...]:
    """Those that no file answers which was read, too; a text and a reason once."""
    read = set(map(normpath, files))
    still_open: dict[tuple[str, str], _Gathered] = {}
    for (text, reason, answer), gathered in questions.items():
        if answer is None or normpath(answer) not in read:
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


def open_points(listing: Listing) -> Sequence[OpenQuestion]:
    """The questions, and what could not be read as questions too: an image may be named there."""
    unread = (OpenQuestion(text="", reason=item.reason, places=(item.place,)) for item in listing.unread)
    return (*listing.questions, *unread)
