"""CycloneDX bills of materials, JSON and XML: components that are container images (cyclonedx.org/specification)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from transload.discovery import purl
from transload.discovery.finding import Discovered, Place, Unread
from transload.discovery.jsonstream import json_members
from transload.discovery.judging import judged
from transload.discovery.values import at, items, text
from transload.documents.value import Value
from transload.errors import DocumentInvalid, TransloadError
from transload.limits import JSON_DEPTH, PURL_LENGTH, STREAM_BYTES, XML_TAG_BYTES
from transload.oci import Digest
from transload.values import define, field

RULE = "cyclonedx"
_JSON = re.compile(rb'"bomFormat"\s*:\s*"CycloneDX"')
_NAMESPACE = b"http://cyclonedx.org/schema/bom/"
_HEAD = 4096
_PIECE = 64 << 10
_PARTS = ("name", "version", "purl")


def is_json(_: str, head: bytes) -> bool:
    """`bomFormat: CycloneDX`, which is required in JSON since version 1.2, the first that has JSON."""
    return bool(_JSON.search(head))


def read_parts(content: bytes, file: str) -> Iterator[Discovered]:
    """The images among the components of a JSON document, and what the document itself is about.

    Components are read one by one. Raises `DocumentInvalid` if it is no JSON object.
    """
    for value in json_members(content, file, {"metadata", "components"}):
        if isinstance(value, DocumentInvalid):
            yield Unread(place=Place(file=file), reason=str(value))
            continue
        yield from _of_component(at(value, "component") if value.key == "metadata" else value)


def recognises(document: Value) -> bool:
    """The same, where the first bytes do not tell."""
    return text(document, "bomFormat") == "CycloneDX"


def read(document: Value) -> Iterator[Discovered]:
    """The same of a whole document."""
    for component in (at(document, "metadata", "component"), *items(at(document, "components"))):
        yield from _of_component(component)


def _of_component(outer: Value) -> Iterator[Discovered]:
    for component in _components(outer):
        parts = {part: text(component, part) for part in _PARTS}
        yield from _images(text(component, "type"), parts, Place.of(component))


def _components(component: Value) -> Iterator[Value]:
    """A component, and those inside it in their order."""
    waiting = [component]
    while waiting:
        component = waiting.pop()
        yield component
        waiting += [*items(at(component, "components"))][::-1]


def _images(kind: str, parts: dict[str, str], place: Place) -> Iterator[Discovered]:
    """The image that a component is. A container without package URL may have a name that is a reference."""
    name, version, url = (parts[part] for part in _PARTS)
    images = list(purl.images_in([(url, place)], RULE))
    yield from images
    if kind == "container" and name and not images:
        yield judged(_with_version(name, version), place, RULE, "likely")


def _with_version(name: str, version: str) -> str:
    """Name and version as a reference. Syft writes the digest as version, others the tag."""
    if not version or "@" in name:
        return name
    try:
        return f"{name}@{Digest(version)}"
    except TransloadError:
        tagged = ":" in name.rpartition("/")[2]
        return name if tagged else f"{name}:{version}"


# --- XML


def is_xml(_: str, content: bytes) -> bool:
    """An XML document with CycloneDX's namespace."""
    head = content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and _NAMESPACE in head


def read_xml(content: bytes, file: str) -> Iterator[Discovered]:
    """The images among the components of an XML document."""
    from xml.parsers.expat import ExpatError, ParserCreate  # entities and DOCTYPE are refused below

    parser = ParserCreate(namespace_separator=" ")
    reading = _Reading(file, lambda: parser.CurrentLineNumber)
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.characters
    parser.StartDoctypeDeclHandler = reading.doctype
    try:
        if len(content) > STREAM_BYTES:
            raise _Refused(f"it has more than {STREAM_BYTES} bytes")
        for begin in range(0, len(content), _PIECE):
            parser.Parse(content[begin : begin + _PIECE])
            if begin - parser.CurrentByteIndex > XML_TAG_BYTES:
                raise _Refused(f"a tag or a comment in it has more than {XML_TAG_BYTES} bytes")
            yield from reading.taken()
        parser.Parse(b"", True)
    except (ExpatError, _Refused, ValueError, LookupError) as error:
        yield from reading.taken()
        yield Unread(place=Place(file=file, line=parser.CurrentLineNumber), reason=str(error)[:200])
    yield from reading.taken()


class _Refused(Exception):
    """The XML has what a bill of materials does not have."""


@define
class _Reading:
    """Collects components while the parser goes through the elements. The stack has a component for each open one."""

    file: str
    line: Callable[[], int]
    images: list[Discovered] = field(factory=list)
    _open: list[str] = field(factory=list)
    _components: list[dict[str, str]] = field(factory=list)

    def taken(self) -> list[Discovered]:
        """What was found since the last time."""
        images, self.images = self.images, []
        return images

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= 4 * JSON_DEPTH:
            raise _Refused("it is nested too deep")
        element = name.rpartition(" ")[2]
        self._open.append(element)
        if element == "component":
            line = str(self.line())
            self._components.append({"type": attributes.get("type", ""), "line": line, **dict.fromkeys(_PARTS, "")})

    def characters(self, data: str) -> None:
        element = self._open[-1]
        if element in _PARTS and self._open[-2:-1] == ["component"]:
            component = self._components[-1]
            component[element] = (component[element] + data)[:PURL_LENGTH]

    def end(self, _: str) -> None:
        if self._open.pop() == "component":
            component = self._components.pop()
            place = Place(file=self.file, line=int(component["line"]), path="component")
            self.images += _images(component["type"], {part: component[part].strip() for part in _PARTS}, place)

    def doctype(self, *_: Any) -> None:
        raise _Refused("it has a DOCTYPE, and documents with entities of their own are not read")
