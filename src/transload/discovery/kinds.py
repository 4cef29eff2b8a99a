"""Which reader a file, or a document in it, gets. A new format is one line in a table here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath

from attrs import frozen

from transload.discovery import compose, dockerfile, kubernetes, lists
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, DocumentReader, FileReader, Irrelevant, Place, Unread
from transload.documents.value import Value
from transload.documents.yamlstream import documents_in
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES, STREAM_DOCUMENT_VALUES

HEAD_BYTES = 64 << 10
"""How much of a file is enough to recognise it."""


@frozen
class FileKind:
    """A format that is known by its file's name (`-` is standard input) or its first `HEAD_BYTES` bytes."""

    name: str
    recognises: Callable[[str, bytes], bool]
    read: FileReader


@frozen
class DocumentKind:
    """A format of YAML or JSON documents that is known by the keys of the document."""

    name: str
    recognises: Callable[[Value], bool]
    read: DocumentReader


def _documents(content: bytes, file: str) -> Iterator[Discovered | Value]:
    """Every document of a YAML stream."""
    for document in documents_in(content, file):
        if isinstance(document, DocumentInvalid):
            yield Unread(place=Place(file=file), reason=str(document))
        else:
            yield document


def _json(content: bytes, file: str) -> Iterator[Value]:
    yield Value.from_json(content, file, limit=STREAM_BYTES, values=STREAM_DOCUMENT_VALUES, hint="write it again")


def _is_json(file: str, head: bytes) -> bool:
    return _suffix(file) == ".json" or head.lstrip()[:1] == b"{"


def _is_list(file: str, _: bytes) -> bool:
    return _suffix(file) in {".txt", ".list"}


def _is_yaml(file: str, _: bytes) -> bool:
    return _suffix(file) in {".yaml", ".yml"} or file == "-"


def _suffix(file: str) -> str:
    return PurePath(file).suffix.lower()


FILES: tuple[FileKind, ...] = (
    FileKind("Dockerfile", dockerfile.recognises, dockerfile.read),
    FileKind("list", _is_list, lists.read),
    FileKind("JSON", _is_json, _json),
    FileKind("YAML", _is_yaml, _documents),
)
"""The first that recognises a file reads it."""

DOCUMENTS: tuple[DocumentKind, ...] = (
    DocumentKind("Compose file", compose.recognises, compose.read),
    DocumentKind("Kubernetes", kubernetes.recognises, kubernetes.read),
)
"""The first that recognises a document reads it. Kubernetes takes every object, so it stays the last."""


def file_kind(file: str, head: bytes) -> FileKind | None:
    """The format of a file; None if it is none that can name images."""
    return next((kind for kind in FILES if kind.recognises(file, head)), None)


def read_file(content: bytes, file: str, fields: Sequence[FieldPath] = ()) -> Iterator[Discovered]:
    """What a file names; `fields` are images in every document, whatever its kind.

    Whatever is wrong with it becomes an `Unread`, so the others of a folder are still read.
    """
    kind = file_kind(file, content)
    if kind is None:
        yield Irrelevant(place=Place(file=file))
        return
    try:
        for item in kind.read(content, file):
            if isinstance(item, Value):
                yield from read_document(item, fields)
            else:
                yield item
    except DocumentInvalid as error:
        yield Unread(place=Place(file=file), reason=str(error))


def read_document(document: Value, fields: Sequence[FieldPath] = ()) -> Iterator[Discovered]:
    """What a document names. One of a kind that nobody here knows names nothing, and is counted as such.

    What is wrong with it becomes an `Unread`, after what was found before that.
    """
    asked = [found for path in fields for found in path.read(document)]
    yield from asked
    kind = next((kind for kind in DOCUMENTS if kind.recognises(document)), None)
    if kind is None:
        if not asked:
            yield Irrelevant(place=Place.of(document))
        return
    try:
        for item in kind.read(document):
            if isinstance(item, Value):
                yield from read_document(item, fields)
            elif not (asked and isinstance(item, Irrelevant)):
                yield item
    except DocumentInvalid as error:
        yield Unread(place=Place.of(document), reason=str(error))
