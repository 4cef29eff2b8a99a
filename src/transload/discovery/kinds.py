"""Which reader a file, or a document in it, gets. A new format is one line in a table here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import PurePath

from attrs import frozen

from transload.discovery import compose, dockerfile, lists
from transload.discovery.finding import Discovered, DocumentReader, FileReader, Irrelevant, Place, Unread
from transload.documents.value import Value
from transload.documents.yamlstream import documents_in
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES, STREAM_DOCUMENT_VALUES


@frozen
class FileKind:
    """A format that is known by its file's name or its first bytes."""

    name: str
    recognises: Callable[[str, bytes], bool]
    read: FileReader


@frozen
class DocumentKind:
    """A format of YAML or JSON documents that is known by the keys of the document."""

    name: str
    recognises: Callable[[Value], bool]
    read: DocumentReader


def _documents(content: bytes, file: str) -> Iterator[Discovered]:
    """Every document of a YAML stream, read as what it is."""
    for document in documents_in(content, file):
        if isinstance(document, DocumentInvalid):
            yield Unread(place=Place(file=file), reason=str(document))
        else:
            yield from read_document(document)


def _json(content: bytes, file: str) -> Iterator[Discovered]:
    yield from read_document(
        Value.from_json(content, file, limit=STREAM_BYTES, values=STREAM_DOCUMENT_VALUES, hint="write it again")
    )


def _is_json(file: str, content: bytes) -> bool:
    return _suffix(file) == ".json" or content.lstrip()[:1] == b"{"


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

DOCUMENTS: tuple[DocumentKind, ...] = (DocumentKind("Compose file", compose.recognises, compose.read),)
"""The first that recognises a document reads it."""


def read_document(document: Value) -> Iterator[Discovered]:
    """What a document names. One of a kind that nobody here knows names nothing, and is counted as such."""
    for kind in DOCUMENTS:
        if kind.recognises(document):
            yield from kind.read(document)
            return
    yield Irrelevant(place=Place.of(document))


def read_file(content: bytes, file: str) -> Iterator[Discovered]:
    """What a file names. Whatever is wrong with it becomes an `Unread`, so the others of a folder are still read."""
    for kind in FILES:
        if kind.recognises(file, content):
            try:
                yield from kind.read(content, file)
            except DocumentInvalid as error:
                yield Unread(place=Place(file=file), reason=str(error))
            return
    yield Irrelevant(place=Place(file=file))
