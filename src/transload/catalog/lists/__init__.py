"""Lists of other tools, read as image sets: what they want, what a run does not do of it, and what is open.

A new format is a module here that has a `Format`, and a line in `FORMATS`. docs/formats/other-lists.md says for people
what is understood of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from transload.catalog.chartuse import ChartUse
from transload.catalog.imageset import ImageSet
from transload.catalog.lists import (
    carvel,
    distribution,
    flux,
    hauler,
    imagesyncer,
    ocmirror,
    plain,
    regsync,
    skopeo,
    zarf,
)
from transload.catalog.lists.taken import Format, ListedImage, ListQuestion, Note, Taken
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected, merge
from transload.documents.value import Value
from transload.errors import TargetConflict
from transload.limits import LISTED_RULES
from transload.values import evolve, frozen
from transload.wording import number_of

_TOLD = 10  # questions that every run with the list tells

FORMATS: tuple[Format, ...] = (
    hauler.FORMAT,
    zarf.FORMAT,
    ocmirror.FORMAT,
    carvel.IMGPKG,
    carvel.KBLD,
    flux.FORMAT,
    distribution.FORMAT,
    regsync.FORMAT,
    skopeo.FORMAT,
    imagesyncer.FORMAT,
    plain.FORMAT,
)
"""The first that recognises a document reads it. Those without a kind come last."""


@frozen(kw_only=True)
class OtherList:
    """What a file of another tool lists. `formats` are the names of its formats, each once.

    Two of its images may want one name at the target.
    """

    formats: tuple[str, ...]
    listed: tuple[ListedImage, ...]
    ruled: tuple[RuledImages, ...] = ()
    prefixes: tuple[RuledPrefix, ...] = ()
    charts: tuple[ChartUse, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[ListQuestion, ...] = ()

    @property
    def images(self) -> tuple[Selected, ...]:
        """The images, each once."""
        return with_platforms_joined(image.plain for image in self.listed)

    def as_set(self, name: str) -> ImageSet:
        """The same as an image set, with notes for the questions, the first of many. Raises `TargetConflict`."""
        more = len(self.questions) - _TOLD
        rest = (f"{number_of(more, 'more question')} open: transload convert lists all",) if more > 0 else ()
        notes = (*self.notes, *map(str, self.questions[:_TOLD]), *rest)
        try:
            images = merge(self.images)
        except TargetConflict as error:
            error.hint = "transload convert writes a set in which each has a name of its own"
            raise
        return ImageSet(name, images, notes=notes, ruled=self.ruled, prefixes=self.prefixes, charts=self.charts)


def read_list(documents: Sequence[Value]) -> OtherList | None:
    """What the documents of a file list, None if none of them is of another tool.

    Raises `DocumentInvalid` for a value that a format does not allow.
    """
    formats = [_format_of(document) for document in documents]
    if not any(formats):
        return None
    taken = list(_bounded(documents, formats))
    return OtherList(
        formats=tuple(dict.fromkeys(known.name for known in formats if known)),
        listed=tuple(item for item in taken if isinstance(item, ListedImage)),
        ruled=tuple(dict.fromkeys(item for item in taken if isinstance(item, RuledImages))),
        prefixes=tuple(dict.fromkeys(item for item in taken if isinstance(item, RuledPrefix))),
        charts=tuple(dict.fromkeys(item for item in taken if isinstance(item, ChartUse))),
        notes=tuple(_sentences(item for item in taken if isinstance(item, Note))),
        questions=tuple(item for item in taken if isinstance(item, ListQuestion)),
    )


def _bounded(documents: Iterable[Value], formats: Iterable[Format | None]) -> Iterator[Taken]:
    """What is taken from each document. Raises `DocumentInvalid` for more rules than a run could ask for."""
    rules = 0
    for document, known in zip(documents, formats, strict=True):
        if known is None:
            yield Note(document.where, "is no list, and left out")
            continue
        for item in known.read(document):
            rules += isinstance(item, RuledImages | ChartUse)
            if rules > LISTED_RULES:
                raise document.fail(f"more than {LISTED_RULES} repositories and charts whose tags the source says")
            yield item


def _format_of(document: Value) -> Format | None:
    candidates = FORMATS if isinstance(document.content, dict) else (plain.FORMAT,)
    return next((known for known in candidates if known.recognises(document)), None)


def with_platforms_joined(images: Iterable[Selected]) -> tuple[Selected, ...]:
    """The same image for several platforms, each in an entry of its own, as one; without platforms it is for all."""
    joined: dict[tuple[object, ...], Selected] = {}
    for image in images:
        key = (image.source, image.repository, image.tag, image.optional)
        first = joined.setdefault(key, image)
        if first.platforms != image.platforms:
            both = (*first.platforms, *image.platforms) if first.platforms and image.platforms else ()
            joined[key] = evolve(first, platforms=tuple(dict.fromkeys(both)))
    return tuple(joined.values())


def _sentences(notes: Iterable[Note]) -> Iterable[str]:
    """Each sentence once, with the first place that it is about and the number of the others."""
    places: dict[str, list[str]] = {}
    for note in notes:
        places.setdefault(note.sentence, []).append(note.where)
    for sentence, wheres in places.items():
        others = len(wheres) - 1
        more = f" (and {others} more like it)" if others else ""
        yield f"{wheres[0]}: {sentence}{more}"
