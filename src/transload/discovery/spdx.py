"""SPDX documents: packages that are container images (spdx.github.io/spdx-spec; versions 2.2, 2.3 and 3.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from transload.discovery import purl
from transload.discovery.finding import Discovered, Place
from transload.discovery.values import at, items, text
from transload.documents.text import decoded
from transload.documents.value import Value
from transload.limits import STREAM_BYTES

RULE = "spdx"
_TAG_VALUE = re.compile(rb"(?:\xef\xbb\xbf)?(?:\s*#[^\n]*\n)*\s*SPDXVersion:\s*SPDX-")
_EXTERNAL = re.compile(r"[ \t]*ExternalRef:[ \t]*\S+[ \t]+purl[ \t]+(\S+)\s*")
_HEAD = 4096


def recognises(document: Value) -> bool:
    """`spdxVersion` in version 2; in version 3, a graph in SPDX's context."""
    return text(document, "spdxVersion").startswith("SPDX-") or "spdx.org/rdf/3" in text(document, "@context")


def read(document: Value) -> Iterator[Discovered]:
    """The images among the packages of a JSON or YAML document."""
    yield from purl.images_in(_purls(document), RULE)


def _purls(document: Value) -> Iterator[tuple[str, Place]]:
    for package in items(at(document, "packages")):
        for reference in items(at(package, "externalRefs")):
            if text(reference, "referenceType").rpartition("/")[2] == "purl":
                yield text(reference, "referenceLocator"), Place.of(reference)
    for element in items(at(document, "@graph")):
        others = items(at(element, "externalIdentifier"))
        urls = [text(item, "identifier") for item in others if text(item, "externalIdentifierType") == "packageUrl"]
        for url in dict.fromkeys([text(element, "software_packageUrl"), *urls]):
            yield url, Place.of(element)


def is_tag_value(_: str, content: bytes) -> bool:
    """The text form of SPDX 2, which begins with its version."""
    return bool(_TAG_VALUE.match(content[:_HEAD]))


def read_tag_value(content: bytes, file: str) -> Iterator[Discovered]:
    """The images among the packages of a document in the text form. Raises `DocumentInvalid` unless it is text."""
    lines = enumerate(decoded(content, file, STREAM_BYTES).split("\n"), 1)
    matches = ((number, _EXTERNAL.fullmatch(line)) for number, line in lines)
    purls = ((match[1], Place(file=file, line=number)) for number, match in matches if match)
    yield from purl.images_in(purls, RULE)
