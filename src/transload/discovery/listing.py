"""Findings become a list of images: one entry for each image, with every place that names it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
    `docker.io/library/nginx:1`.
    """
    entries: dict[Reference, _Gathered] = {}
    questions: dict[tuple[str, str], _Gathered] = {}
    unread: list[Unread] = []
    irrelevant = 0
    for item in discovered:
        if isinstance(item, Finding):
            entries.setdefault(Reference.parse(item.text), _Gathered()).add(item)
        elif isinstance(item, Question):
            questions.setdefault((item.text, item.reason), _Gathered()).places[item.place] = None
        elif isinstance(item, Unread):
            unread.append(item)
        else:
            irrelevant += isinstance(item, Irrelevant)
    return Listing(
        images=tuple(gathered.entry(reference) for reference, gathered in entries.items()),
        questions=tuple(
            OpenQuestion(text=text, reason=reason, places=tuple(gathered.places))
            for (text, reason), gathered in questions.items()
        ),
        unread=tuple(unread),
        irrelevant=irrelevant,
    )


def open_points(listing: Listing) -> Sequence[OpenQuestion]:
    """The questions, and what could not be read as questions too: an image may be named there."""
    unread = (OpenQuestion(text="", reason=item.reason, places=(item.place,)) for item in listing.unread)
    return (*listing.questions, *unread)
