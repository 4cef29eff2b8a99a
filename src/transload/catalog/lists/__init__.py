"""Lists of other tools, read as image sets: what they want, what a run does not do of it, and what is open.

A new format is a module here that has a `Format`, and a line in `FORMATS`. docs/formats/other-lists.md says for people
what is understood of each.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import evolve, frozen

from transload.catalog.imageset import ImageSet
from transload.catalog.lists import (
    carvel,
    distribution,
    flux,
    hauler,
    imagesyncer,
    ocmirror,
    regsync,
    skopeo,
    zarf,
)
from transload.catalog.lists.taken import Format, ListQuestion, Note
from transload.catalog.ruled import RuledImages, RuledPrefix
from transload.catalog.selected import Selected, merge
from transload.documents.value import Value

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
)
"""The first that recognises a document reads it. Those without a kind come last."""


@frozen(kw_only=True)
class OtherList:
    """What a file of another tool lists. `formats` are the names of its formats, each once."""

    formats: tuple[str, ...]
    images: tuple[Selected, ...]
    ruled: tuple[RuledImages, ...] = ()
    prefixes: tuple[RuledPrefix, ...] = ()
    notes: tuple[str, ...] = ()
    questions: tuple[ListQuestion, ...] = ()

    def as_set(self, name: str) -> ImageSet:
        """The same as an image set, with a note for each question."""
        notes = (*self.notes, *map(str, self.questions))
        return ImageSet(name, self.images, notes=notes, ruled=self.ruled, prefixes=self.prefixes)


def read_list(documents: Sequence[Value]) -> OtherList | None:
    """What the documents of a file list, None if none of them is of another tool.

    Raises `DocumentInvalid` for a value that a format does not allow, `TargetConflict` if two different images would
    have one name at the target.
    """
    formats = [_format_of(document) for document in documents]
    if not any(formats):
        return None
    taken = [
        found
        for document, known in zip(documents, formats, strict=True)
        for found in (known.read(document) if known else [Note(document.where, "is no list, and left out")])
    ]
    with documents[0].explained():
        images = merge(_with_platforms_joined(found for found in taken if isinstance(found, Selected)))
    return OtherList(
        formats=tuple(dict.fromkeys(known.name for known in formats if known)),
        images=images,
        ruled=tuple(dict.fromkeys(found for found in taken if isinstance(found, RuledImages))),
        prefixes=tuple(dict.fromkeys(found for found in taken if isinstance(found, RuledPrefix))),
        notes=tuple(_sentences(found for found in taken if isinstance(found, Note))),
        questions=tuple(found for found in taken if isinstance(found, ListQuestion)),
    )


def _format_of(document: Value) -> Format | None:
    if not isinstance(document.content, dict):
        return None
    return next((known for known in FORMATS if known.recognises(document)), None)


def _with_platforms_joined(images: Iterable[Selected]) -> Iterable[Selected]:
    """The same image for several platforms, each in an entry of its own, as one; without platforms it is for all."""
    joined: dict[Selected, Selected] = {}
    for image in images:
        key = evolve(image, platforms=())
        first = joined.setdefault(key, image)
        if first.platforms and image.platforms:
            joined[key] = evolve(key, platforms=tuple(dict.fromkeys((*first.platforms, *image.platforms))))
        else:
            joined[key] = key
    return joined.values()


def _sentences(notes: Iterable[Note]) -> Iterable[str]:
    """Each sentence once, with the first place that it is about and the number of the others."""
    places: dict[str, list[str]] = {}
    for note in notes:
        places.setdefault(note.sentence, []).append(note.where)
    for sentence, wheres in places.items():
        others = len(wheres) - 1
        more = f" (and {others} more like it)" if others else ""
        yield f"{wheres[0]}: {sentence}{more}"
