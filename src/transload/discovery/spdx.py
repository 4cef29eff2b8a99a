"""SPDX documents: packages that are container images (spdx.github.io/spdx-spec; versions 2.2, 2.3 and 3.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery import purl
from transload.discovery.finding import Discovered, Place, Unread
from transload.discovery.jsonstream import json_members
from transload.discovery.values import at, items, text
from transload.documents.text import decoded
from transload.documents.value import Value
from transload.errors import DocumentInvalid
from transload.limits import STREAM_BYTES

RULE = "spdx"
_PACKAGES = ("packages", "@graph")
_JSON = re.compile(
    rb'\A(?:\xef\xbb\xbf)?\s*\{(?s:.)*"(?:spdxVersion"\s*:\s*"SPDX-|@context"\s*:\s*"[^"]*spdx\.org/rdf/3)'
)
_TAG_VALUE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s*#[^\n]*\n)*\s*SPDXVersion:\s*SPDX-")
_EXTERNAL = re.compile(r"[ \t]*ExternalRef:[ \t]*\S+[ \t]+purl[ \t]+(\S+)\s*")
_HEAD = 4096


def recognises(document: Value) -> bool:
    """`spdxVersion` in version 2; in version 3, a graph in SPDX's context."""
    return text(document, "spdxVersion").startswith("SPDX-") or "spdx.org/rdf/3" in text(document, "@context")


def read(document: Value) -> Iterator[Discovered]:
    """The images among the packages of a JSON or YAML document."""
    for key in _PACKAGES:
        for package in items(at(document, key)):
            yield from purl.images_in(_purls(package), RULE)


def is_json(_: str, head: bytes) -> bool:
    """The same, of which the first bytes tell."""
    return bool(_JSON.search(head))


def read_parts(content: bytes, file: str) -> Iterator[Discovered]:
    """The images among the packages of a JSON document, which are read one by one.

    Raises `DocumentInvalid` if it is no JSON object.
    """
    for package in json_members(content, file, _PACKAGES):
        if isinstance(package, DocumentInvalid):
            yield Unread(place=Place(file=file), reason=str(package))
        else:
            yield from purl.images_in(_purls(package), RULE)


def _purls(package: Value) -> Iterator[tuple[str, Place]]:
    """The package URLs of a package of version 2, or of an element of version 3."""
    for reference in items(at(package, "externalRefs")):
        if text(reference, "referenceType").rpartition("/")[2] == "purl":
            yield text(reference, "referenceLocator"), Place.of(reference)
    others = items(at(package, "externalIdentifier"))
    urls = [text(item, "identifier") for item in others if text(item, "externalIdentifierType") == "packageUrl"]
    for url in dict.fromkeys([text(package, "software_packageUrl"), *urls]):
        yield url, Place.of(package)


def is_tag_value(_: str, content: bytes) -> bool:
    """The text form of SPDX 2, which begins with its version."""
    return bool(_TAG_VALUE.match(content[:_HEAD]))


def read_tag_value(content: bytes, file: str) -> Iterator[Discovered]:
    """The images among the packages of a document in the text form. Raises `DocumentInvalid` unless it is text."""
    lines = enumerate(decoded(content, file, STREAM_BYTES).split("\n"), 1)
    matches = ((number, _EXTERNAL.fullmatch(line)) for number, line in lines)
    purls = ((match[1], Place(file=file, line=number)) for number, match in matches if match)
    yield from purl.images_in(purls, RULE)


def is_rdf(_: str, content: bytes) -> bool:
    """SPDX 2 as RDF in XML."""
    head = content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and b"http://spdx.org/rdf/terms" in head


def tell_rdf(_: bytes, file: str) -> Iterator[Discovered]:
    """That this form is not read."""
    yield Unread(place=Place(file=file), reason="SPDX as RDF is not read: convert it to JSON (pyspdxtools does)")
