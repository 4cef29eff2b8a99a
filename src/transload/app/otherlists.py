"""Lists of other tools among the files that are discovered: their images are found, the rest becomes questions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.catalog.listfile import DOCUMENT_SUFFIXES
from transload.catalog.lists import OtherList
from transload.catalog.setfile import parse_list
from transload.discovery.finding import Discovered, Finding, Place, Question
from transload.errors import DocumentInvalid
from transload.limits import YAML_BYTES
from transload.wording import number_of

# A manifest has a kind. So only texts without one, or with one of these words, are read as lists: a folder may have
# thousands of manifests, and each would be parsed twice.
_MARKS = re.compile(
    rb"hauler\.cattle\.io|Zarf(?:Package|Init)Config|mirror\.openshift\.io|imgpkg\.carvel\.dev|kbld\.k14s\.io"
    rb"|mirror\.(?:plugin\.)?fluxcd\.io|ImagesLock"
)
_KIND = re.compile(rb"^\s*[\"']?kind[\"']?\s*:", re.MULTILINE)
_RUN = "only a run decides what this means: give the file itself to the other commands"


def read_other_list(content: bytes, file: str) -> Iterator[Discovered] | None:
    """What a list of another tool names; None if the file is none that is known (docs/formats/other-lists.md)."""
    may_be = file.lower().endswith(DOCUMENT_SUFFIXES) and len(content) <= YAML_BYTES
    if not may_be or (_KIND.search(content) and not _MARKS.search(content)):
        return None
    try:
        listed = parse_list(content, file)
    except DocumentInvalid:  # whoever reads it as another kind of file says what is wrong with it
        return None
    return None if listed is None else _found(listed, file)


def is_lock(file: str) -> bool:
    """Whether only a list of another tool is called so, such as `Images.lock`."""
    return file.lower().endswith(".lock")


def _found(listed: OtherList, file: str) -> Iterator[Discovered]:
    for image in listed.listed:
        yield Finding(text=str(image.source), place=_place(image.where, file), rule=", ".join(listed.formats))
    chosen = [(f"{images.source.registry}/{images.source.name.repository}", images.where) for images in listed.ruled]
    chosen += [(str(prefix), prefix.where) for prefix in listed.prefixes]
    chosen += [(str(chart.address), chart.where) for chart in listed.charts]
    for text, where in chosen:
        yield Question(text=text, place=_place(where, file), reason=_RUN)
    for question in listed.questions:
        yield Question(text=question.text, place=_place(question.where, file), reason=question.reason)
    if listed.notes:
        reason = f"{number_of(len(listed.notes), 'thing')} not taken of this list: transload convert says what"
        yield Question(text="", place=Place(file=file), reason=reason)


def _place(where: str, file: str) -> Place:
    """The place that `Value.where` names: `zarf.yaml:5: components[0].images[1]`."""
    line, _, path = where.removeprefix(f"{file}:").partition(": ")
    return Place(file=file, line=int(line) if line.isdigit() else None, path=path)
