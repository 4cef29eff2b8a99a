"""Writes what was found as an image set, which every command takes (docs/formats/image-set.md)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from transload.discovery.finding import Place
from transload.discovery.listing import FoundImage, Listing, open_points
from transload.oci import Digest, Name, Reference

# What YAML reads as this very text, in every version of it: a reference or a digest, never a number.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*[A-Za-z0-9](?::[A-Za-z0-9_.-]*[A-Za-z0-9_.-]+)?(?:@sha[0-9]+:[a-f0-9]+)?")

_PATH_LENGTH = 255


def set_text(listing: Listing, pins: Mapping[Reference, Digest] | None = None) -> str:
    """The image set of a listing: its images with the places where they were found, and the open questions.

    `pins` are digests for references without one. Images that would have one name at the target get different ones.
    """
    lines = ["kind: ImageSet", "version: 1", "images:" if listing.images else "images: []"]
    targets = _targets(listing.images)
    for entry in listing.images:
        lines += _image(entry, targets.get(entry.reference), (pins or {}).get(entry.reference))
    questions = open_points(listing)
    if questions:
        lines.append("questions:")
    for question in questions:
        lines += [f"  - text: {_quoted(question.text)}"] if question.text else ["  -"]
        lines += [f"    reason: {_quoted(question.reason)}", *_found(question.places)]
    return "\n".join(lines).replace("  -\n    ", "  - ") + "\n"


def _image(entry: FoundImage, target: str | None, pin: Digest | None) -> Iterator[str]:
    yield f"  - source: {_scalar(str(entry.reference))}"
    if pin is not None and entry.reference.name.digest is None:
        yield f"    digest: {pin}"
    if target is not None:
        yield f"    target: {_scalar(target)}"
    if entry.sureness == "likely":
        yield f"    # likely: {_harmless(', '.join(entry.rules))}"
    yield from _found(entry.places)


def _found(places: Iterable[Place]) -> Iterator[str]:
    yield "    found:"
    yield from (f"      - {_quoted(text)}" for text in dict.fromkeys(map(str, places)))


def _targets(entries: Iterable[FoundImage]) -> dict[Reference, str]:
    """Names at the target for images that would share one: the registry before the repository, or only the digest."""
    references = [entry.reference for entry in entries]
    used = Counter(_place(reference.name) for reference in references)
    targets = {}
    for reference in references:
        name = reference.name
        if name.tag is not None and used[_place(name)] > 1:
            tag = f"{name.tag[:100]}-{name.digest.partition(':')[2][:12]}" if name.digest else name.tag
            targets[reference] = str(Name(_under_registry(reference), tag))
    return targets


def _under_registry(reference: Reference) -> str:
    """The repository with its registry before it, as far as a path may be so long and have these letters."""
    room = _PATH_LENGTH - len(reference.name.repository) - 1
    registry = re.sub("[^a-z0-9.]+", "-", reference.registry.lower())[: max(0, room)].strip("-.")
    return "/".join(filter(None, (registry, reference.name.repository)))


def _place(name: Name) -> str:
    """The name at the target when nothing else is said (`catalog.selected.Selected.place`)."""
    return str(Name(name.repository, name.tag, None if name.tag else name.digest))


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    """A text between double quotes, as YAML and JSON both read it; nothing in it is invisible."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in quoted)


def _escaped(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 1 << 16 else f"\\U{ord(letter):08x}"


def _harmless(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
