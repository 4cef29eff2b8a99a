"""Which reader a file, or a document in it, gets. A new format is one line in a table here."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath

from transload.discovery import (
    chartuse,
    compose,
    cyclonedx,
    dockerfile,
    imagesets,
    kubernetes,
    kustomize,
    lists,
    olm,
    spdx,
)
from transload.discovery.fieldpath import FieldPath
from transload.discovery.finding import Discovered, DocumentReader, FileReader, Irrelevant, Place, Unread
from transload.discovery.jsonstream import json_documents
from transload.discovery.streams import yaml_documents
from transload.documents.value import Value
from transload.errors import DocumentInvalid, LimitExceeded, TransloadError
from transload.limits import STREAM_DOCUMENTS
from transload.values import frozen

_KEY = re.compile(rb"^(?:apiVersion|kind|services|images|resources|schema|releases):", re.MULTILINE)

_TEMPLATES = {".tmpl", ".tpl", ".gotmpl", ".j2", ".template"}

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


def _yaml(content: bytes, file: str) -> Iterator[Discovered | Value]:
    """Every document of a YAML stream."""
    for document in yaml_documents(content, file):
        yield _unread(document, file) if isinstance(document, DocumentInvalid) else document


def _json(content: bytes, file: str) -> Iterator[Discovered | Value]:
    """Every value of a JSON text. What only begins like one, and is not called so, is YAML."""
    for number, document in enumerate(json_documents(content, file)):
        if isinstance(document, Value):
            yield document
        elif number == 0 and _suffix(file) != ".json":
            yield from _yaml(content, file)
        else:
            yield _unread(document, file)


def _unread(error: DocumentInvalid, file: str) -> Unread:
    return Unread(place=Place(file=file), reason=_reason(error))


def _reason(error: TransloadError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _is_json(file: str, head: bytes) -> bool:
    begins = head.removeprefix(BOM_UTF8).lstrip()[:2]
    return _suffix(file) == ".json" or (_is_nameless(file) and begins[:1] in {b"{", b"["} and begins != b"{{")


def _is_list(file: str, head: bytes) -> bool:
    return _suffix(file) in {".txt", ".list"} or (_is_nameless(file) and lists.begins_like_one(head))


def _is_yaml(file: str, head: bytes) -> bool:
    return _suffix(file) in {".yaml", ".yml"} or file == "-" or (_is_nameless(file) and bool(_KEY.search(head)))


def _is_nameless(file: str) -> bool:
    """Whether the name says nothing: standard input, or a file without an ending."""
    return file == "-" or not _suffix(file)


def _suffix(file: str) -> str:
    """The ending of the name; of a template such as `web.yaml.tmpl`, that of what it makes."""
    path = PurePath(file.lower())
    return PurePath(path.stem).suffix if path.suffix in _TEMPLATES else path.suffix


FILES: tuple[FileKind, ...] = (
    FileKind("Dockerfile", dockerfile.recognises, dockerfile.read),
    FileKind("SPDX", spdx.is_tag_value, spdx.read_tag_value),
    FileKind("SPDX as RDF", spdx.is_rdf, spdx.tell_rdf),
    FileKind("SPDX as JSON", spdx.is_json, spdx.read_parts),
    FileKind("CycloneDX", cyclonedx.is_xml, cyclonedx.read_xml),
    FileKind("CycloneDX as JSON", cyclonedx.is_json, cyclonedx.read_parts),
    FileKind("list", _is_list, lists.read),
    FileKind("JSON", _is_json, _json),
    FileKind("YAML", _is_yaml, _yaml),
)
"""The first that recognises a file reads it."""

DOCUMENTS: tuple[DocumentKind, ...] = (
    DocumentKind("OLM object", olm.is_object, olm.read_object),
    DocumentKind("OLM catalog", olm.is_catalog, olm.read_catalog),
    DocumentKind("chart in use", chartuse.is_object, chartuse.read_object),
    DocumentKind("Helmfile", chartuse.is_helmfile, chartuse.read_helmfile),
    DocumentKind("Kustomization", kustomize.recognises, kustomize.read),
    DocumentKind("image set", imagesets.recognises, imagesets.read),
    DocumentKind("CycloneDX", cyclonedx.recognises, cyclonedx.read),
    DocumentKind("SPDX", spdx.recognises, spdx.read),
    DocumentKind("Compose file", compose.recognises, compose.read),
    DocumentKind("Kubernetes", kubernetes.recognises, kubernetes.read),
)
"""The first that recognises a document reads it. Kubernetes takes every object, so it stays the last."""


def file_kind(file: str, head: bytes) -> FileKind | None:
    """The format of a file; None if it is none that can name images."""
    return next((kind for kind in FILES if kind.recognises(file, head)), None)


def read_file(
    content: bytes, file: str, fields: Sequence[FieldPath] = (), kind: FileKind | None = None
) -> Iterator[Discovered]:
    """What a file names; `fields` are images in every document, whatever its kind. `kind` is that of its name.

    Whatever is wrong with it becomes an `Unread`, so the others of a folder are still read.
    """
    kind = kind or file_kind(file, content)
    yield from _counted(_bounded(kind.read(content, file), file) if kind else iter(()), Place(file=file), fields)


def _bounded(items: Iterator[Discovered | Value], file: str) -> Iterator[Discovered | Value]:
    """The same, of a limited number of documents. Raises `LimitExceeded`."""
    documents = 0
    for item in items:
        documents += isinstance(item, Value)
        if documents > STREAM_DOCUMENTS:
            raise LimitExceeded(f"{file}: it has more than {STREAM_DOCUMENTS} documents", hint="split the file")
        yield item


def read_document(document: Value, fields: Sequence[FieldPath] = ()) -> Iterator[Discovered]:
    """What a document names. One of a kind that nobody here knows names nothing, and is counted as such.

    What is wrong with it becomes an `Unread`, after what was found before that.
    """
    within = kubernetes.named(document)
    asked = [found for path in fields for found in path.read(document, within)]
    yield from asked
    seen = {found.place for found in asked}
    kind = next((kind for kind in DOCUMENTS if kind.recognises(document)), None)
    for item in _counted(kind.read(document) if kind else iter(()), Place.of(document), fields):
        if item.place not in seen and not (asked and isinstance(item, Irrelevant)):
            yield item


def _counted(found: Iterator[Discovered | Value], place: Place, fields: Sequence[FieldPath]) -> Iterator[Discovered]:
    """What a reader finds, documents read as what they are; that there is nothing, or what is wrong."""
    nothing = True
    try:
        for item in found:
            nothing = False
            if isinstance(item, Value):
                yield from read_document(item, fields)
            else:
                yield item
    except (DocumentInvalid, LimitExceeded) as error:
        yield Unread(place=place, reason=_reason(error))
    else:
        if nothing:
            yield Irrelevant(place=place)
