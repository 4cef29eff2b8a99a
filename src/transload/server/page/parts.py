"""A list of components inside an image, as its bill of materials says: SPDX and CycloneDX, also inside attestations.

The text comes from outside. What is kept of it is bounded in number and length, and nothing of it is believed: a bill
says what its author wrote into it. Pure.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from typing import Any

from transload.expressions import late
from transload.limits import PAGE_COMPONENTS, PAGE_DOCUMENT_BYTES, PAGE_DOCUMENT_VALUES
from transload.server.page.reading import NotShown
from transload.strictjson import NotJson, read_json
from transload.values import frozen

_SHOWN_LENGTH = 64 << 10
_LETTERS = 200
_LINE_LETTERS = 1000
_WRAPPED = 4  # a Sigstore bundle holds an envelope, which holds a statement, which holds a bill
# The lines of SPDX as text that are read. They are found one by one: a list of all lines could take a gigabyte.
_TAGGED = late(
    r"(?m)^(SPDXVersion|DocumentName|Created|PackageName|PackageVersion|PackageLicenseConcluded"
    r"|PackageLicenseDeclared|ExternalRef):(.*)$"
)
_WITHOUT = {"NOASSERTION", "NONE", ""}


@frozen(kw_only=True)
class Component:
    """One entry of a bill of materials. What it does not say is empty."""

    name: str
    version: str = ""
    kind: str = ""
    licence: str = ""
    purl: str = ""


@frozen(kw_only=True)
class Inside:
    """What a document says. `components` is None for one that is no bill of materials; then `lines` are its text,
    and `cut` says whether that is only its beginning.

    `total` counts the components, of which at most `PAGE_COMPONENTS` are kept. `form` names the format, `predicate` the
    type of the statement that wraps it, `about` what the bill describes.
    """

    form: str
    predicate: str = ""
    about: str = ""
    created: str = ""
    components: tuple[Component, ...] | None = None
    total: int = 0
    lines: tuple[str, ...] = ()
    cut: bool = False


def inside(raw: bytes) -> Inside:
    """Read a document of any of the forms. Raises `NotShown`."""
    if _is_tag_value(raw):
        return _tag_value(raw)
    document, predicate = _unwrapped(_json(raw))
    if isinstance(document, dict):
        for is_one, read in ((_is_spdx, _spdx), (_is_spdx3, _spdx3), (_is_cyclonedx, _cyclonedx)):
            if is_one(document):
                return read(document, predicate)
    lines, left = [], _SHOWN_LENGTH
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(document):
        lines.append(piece)
        left -= len(piece)
        if left < 0:
            break
    shown = tuple(line[:_LINE_LETTERS] for line in "".join(lines)[:_SHOWN_LENGTH].split("\n"))
    return Inside(form="JSON", predicate=predicate, lines=shown, cut=left < 0)


def shortened(text: str, length: int) -> str:
    """The beginning of a text."""
    return text if len(text) <= length else f"{text[:length]}…"


def _json(raw: bytes) -> Any:
    try:
        return read_json(raw, limit=PAGE_DOCUMENT_BYTES, values=PAGE_DOCUMENT_VALUES)
    except NotJson as error:
        raise NotShown(f"it {error.verdict}") from None


def _unwrapped(document: Any) -> tuple[Any, str]:
    """The innermost document, and the type of the predicate that it is."""
    predicate = ""
    for _ in range(_WRAPPED):
        if not isinstance(document, dict):
            break
        if isinstance(envelope := document.get("dsseEnvelope"), dict):
            document = envelope
        elif isinstance(document.get("payload"), str) and "payloadType" in document:
            document = _json(_payload(document["payload"]))
        elif "predicateType" in document and "predicate" in document:
            predicate = _text(document["predicateType"])
            document = document["predicate"]
        elif set(document) <= {"Data", "Timestamp"} and isinstance(document.get("Data"), str):  # cosign before 2.0
            document = _json(document["Data"].encode("utf-8", "replace"))
        else:
            break
    return document, predicate


def _payload(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise NotShown("the payload of its envelope is not base64") from None


def _bill(form: str, predicate: str, about: str, created: str, found: Iterator[Component]) -> Inside:
    kept: list[Component] = []
    total = 0
    for component in found:
        total += 1
        if len(kept) < PAGE_COMPONENTS:
            kept.append(component)
    return Inside(form=form, predicate=predicate, about=about, created=created, components=tuple(kept), total=total)


# --- SPDX 2 as JSON


def _is_spdx(document: Mapping[str, Any]) -> bool:
    return _text(document.get("spdxVersion")).startswith("SPDX-")


def _spdx(document: Mapping[str, Any], predicate: str) -> Inside:
    form = _text(document.get("spdxVersion")).replace("-", " ", 1)
    found = (_spdx_package(package) for package in _objects(document.get("packages")))
    created = _text(_mapping(document.get("creationInfo")).get("created"))
    return _bill(form, predicate, _text(document.get("name")), created, found)


def _spdx_package(package: Mapping[str, Any]) -> Component:
    licences = [_text(package.get(key)) for key in ("licenseConcluded", "licenseDeclared")]
    references = _objects(package.get("externalRefs"))
    urls = (_text(each.get("referenceLocator")) for each in references if each.get("referenceType") == "purl")
    return Component(
        name=_text(package.get("name")),
        version=_text(package.get("versionInfo")),
        kind=_text(package.get("primaryPackagePurpose")).lower(),
        licence=next((each for each in licences if each not in _WITHOUT), ""),
        purl=next(urls, ""),
    )


# --- SPDX 3


def _is_spdx3(document: Mapping[str, Any]) -> bool:
    return "spdx.org/rdf/3" in _text(document.get("@context"))


def _spdx3(document: Mapping[str, Any], predicate: str) -> Inside:
    elements = list(_objects(document.get("@graph")))
    info = next((each for each in elements if each.get("type") == "CreationInfo"), {})
    about = next((each for each in elements if each.get("type") == "SpdxDocument"), {})
    found = (
        Component(
            name=_text(each.get("name")),
            version=_text(each.get("software_packageVersion")),
            kind=_text(each.get("software_primaryPurpose")),
            purl=_text(each.get("software_packageUrl")),
        )
        for each in elements
        if each.get("type") == "software_Package"
    )
    return _bill("SPDX 3", predicate, _text(about.get("name")), _text(info.get("created")), found)


# --- SPDX 2 as text


def _is_tag_value(raw: bytes) -> bool:
    return raw.lstrip()[:12].startswith(b"SPDXVersion:")


def _tag_value(raw: bytes) -> Inside:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotShown("it is not UTF-8") from None
    head: dict[str, str] = {}
    for line in _TAGGED.finditer(text):
        if line[1] == "PackageName":
            break
        head.setdefault(line[1], _text(line[2].strip()))
    form = head.get("SPDXVersion", "").replace("-", " ", 1)
    return _bill(form, "", head.get("DocumentName", ""), head.get("Created", ""), _tagged(text))


def _tagged(text: str) -> Iterator[Component]:
    package: dict[str, str] = {}
    for line in _TAGGED.finditer(text):
        tag, value = line[1], line[2][:_LINE_LETTERS].strip()
        if tag == "PackageName":
            if package:
                yield Component(**package)
            package = {"name": _text(value)}
        elif not package:
            continue
        elif tag == "PackageVersion":
            package["version"] = _text(value)
        elif tag in {"PackageLicenseConcluded", "PackageLicenseDeclared"} and value not in _WITHOUT:
            package.setdefault("licence", _text(value))
        elif tag == "ExternalRef" and " purl " in value:
            package.setdefault("purl", _text(value.rpartition(" ")[2]))
    if package:
        yield Component(**package)


# --- CycloneDX


def _is_cyclonedx(document: Mapping[str, Any]) -> bool:
    return document.get("bomFormat") == "CycloneDX"


def _cyclonedx(document: Mapping[str, Any], predicate: str) -> Inside:
    metadata = _mapping(document.get("metadata"))
    about = _mapping(metadata.get("component"))
    name = " ".join(filter(None, (_text(about.get("name")), _text(about.get("version")))))
    form = f"CycloneDX {_text(document.get('specVersion'))}".strip()
    return _bill(form, predicate, name, _text(metadata.get("timestamp")), _nested(document.get("components")))


def _nested(components: object) -> Iterator[Component]:
    """The components, and those inside them, in their order."""
    waiting = [_objects(components)]
    while waiting:
        component = next(waiting[-1], None)
        if component is None:
            waiting.pop()
            continue
        group, name = _text(component.get("group")), _text(component.get("name"))
        yield Component(
            name=f"{group}/{name}" if group else name,
            version=_text(component.get("version")),
            kind=_text(component.get("type")),
            licence=_licences(component.get("licenses")),
            purl=_text(component.get("purl")),
        )
        waiting.append(_objects(component.get("components")))


def _licences(listed: object) -> str:
    named = []
    for each in _objects(listed):
        licence = _mapping(each.get("license"))
        named.append(_text(each.get("expression")) or _text(licence.get("id")) or _text(licence.get("name")))
    return shortened(", ".join(filter(None, named)), _LETTERS)


# --- values of JSON


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return shortened(value, _LETTERS) if isinstance(value, str) else ""
