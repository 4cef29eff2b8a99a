"""`transload convert`: reads lists of other tools, and writes them as one image set."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

from transload.app.namedfiles import STANDARD_INPUT
from transload.catalog.imageset import ImageSet
from transload.catalog.listfile import DOCUMENT_SUFFIXES
from transload.catalog.lists import OtherList, plain, with_platforms_joined
from transload.catalog.lists.taken import ListedImage, ListQuestion
from transload.catalog.references import LIST_BYTES, parse_references
from transload.catalog.selected import Selected, kept_apart, merge
from transload.catalog.setfile import parse_list
from transload.catalog.setwriting import set_text
from transload.errors import DocumentInvalid, LocalError, SelectionEmpty, UsageError
from transload.files import expanded, local_errors, read_file, read_up_to
from transload.limits import YAML_BYTES
from transload.values import frozen

_MAPPING = re.compile(rb"^[^#\n]*:(?:[ \t\r]|$)", re.MULTILINE)


@frozen(kw_only=True)
class Converted:
    """What lists of other tools want, as one image set; its `notes` say what they ask for and no run does.

    `formats` says of each file what it was, in the order of the files: `Hauler manifest`. `questions` are texts of
    which it is not known which images they mean.
    """

    image_set: ImageSet
    questions: tuple[ListQuestion, ...]
    formats: tuple[tuple[str, str], ...]

    def set_text(self) -> str:
        """The image set as a file (docs/formats/image-set.md): images, rules, questions, and the notes as comments."""
        origins = [f"made by transload convert from {file} ({what})" for file, what in self.formats]
        left = ["not taken:", *(f"  {note}" for note in self.image_set.notes)] if self.image_set.notes else []
        return set_text(self.image_set, questions=self.questions, comments=[*origins, *left])


def convert_lists(files: Sequence[str], standard_input: IO[bytes] | None = None) -> Converted:
    """Read the files, each by what it holds; `-` is standard input.

    Raises `SelectionEmpty` if they list nothing, not even a question, `DocumentInvalid`, `TargetConflict`,
    `LocalError`; `UsageError` for a file that is an image set already.
    """
    paths = [Path(file) if file == STANDARD_INPUT else expanded(file) for file in files]
    lists = [_piped(standard_input) if file == STANDARD_INPUT else _read(expanded(file)) for file in files]
    images = with_platforms_joined(image for listed in lists for image in listed.images)
    renamed = kept_apart(images)
    converted = Converted(
        image_set=ImageSet(
            "list" if files[0] == STANDARD_INPUT else paths[0].stem,
            merge(renamed),
            notes=(*(note for listed in lists for note in listed.notes), *_renamed(images, renamed)),
            ruled=tuple(ruled for listed in lists for ruled in listed.ruled),
            prefixes=tuple(prefix for listed in lists for prefix in listed.prefixes),
            charts=tuple(chart for listed in lists for chart in listed.charts),
        ),
        questions=tuple(question for listed in lists for question in listed.questions),
        formats=tuple((str(path), ", ".join(listed.formats)) for path, listed in zip(paths, lists, strict=True)),
    )
    image_set = converted.image_set
    if image_set.is_empty and not converted.questions:
        raise _nothing(paths, image_set.notes)
    return converted


def _renamed(images: Iterable[Selected], renamed: Iterable[Selected]) -> Iterator[str]:
    """A note for images that got another name, since a different image wants theirs."""
    for before, after in zip(images, renamed, strict=True):
        if before.place != after.place:
            yield f"{before.source} goes to {after.place}, since another image wants {before.place}"


def _nothing(paths: Iterable[Path], notes: Sequence[str]) -> SelectionEmpty:
    names = ", ".join(map(str, paths))
    return SelectionEmpty(f"no image is listed in {names}", subject=names, hint="; ".join(notes[:3]) or None)


def _piped(standard_input: IO[bytes] | None) -> OtherList:
    """What comes from standard input: documents, or else lines. A line with a reference has no colon at its end."""
    with local_errors("reading standard input", Path(STANDARD_INPUT)):
        content = read_up_to(standard_input, LIST_BYTES + 1) if standard_input else b""
    if not _MAPPING.search(content):
        with contextlib.suppress(DocumentInvalid):
            if listed := parse_list(content, STANDARD_INPUT):
                return listed
        return _lines(content, STANDARD_INPUT)
    return _documents(content, STANDARD_INPUT)


def _read(path: Path) -> OtherList:
    if path.is_dir():
        raise LocalError(f"{path} is a folder, and a file was expected", subject=str(path), hint="name the files in it")
    documents = path.suffix.lower() in DOCUMENT_SUFFIXES
    with local_errors("reading", path):
        content = read_file(path, (YAML_BYTES if documents else LIST_BYTES) + 1)
    return (_documents if documents else _lines)(content, str(path))


def _lines(content: bytes, file: str) -> OtherList:
    images = (ListedImage(image.source, image.repository, image.tag) for image in parse_references(content, file))
    return OtherList(formats=(plain.FORMAT.name,), listed=tuple(images))


def _documents(content: bytes, file: str) -> OtherList:
    listed = parse_list(content, file)
    if listed is None:
        raise UsageError(
            f"{file} is no list of a tool that is known",
            subject=file,
            hint="an image set is taken as it is; transload discover finds images in manifests and charts",
        )
    return listed
