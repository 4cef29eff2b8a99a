"""Writes what was found as an image set, which every command takes (docs/formats/image-set.md)."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from transload.discovery.finding import Place
from transload.discovery.listing import FoundImage, Listing, open_points
from transload.documents.yamltext import comment, quoted, scalar
from transload.errors import LimitExceeded
from transload.limits import YAML_BYTES
from transload.oci import Digest, Name, Reference
from transload.wording import in_words, number_of

_PATH_LENGTH = 255
_FEWER = (sys.maxsize, 50, 10, 3, 1)  # places of one image that are tried one after the other


def set_text(listing: Listing, pins: Mapping[Reference, Digest] | None = None) -> str:
    """The image set of a listing: its images with the places where they were found, and the open questions.

    `pins` are digests for references without one. Images that would have one name at the target get different ones.
    So that the set can be read again, fewer places stand in one that would be longer than `YAML_BYTES`, with their
    number. Raises `LimitExceeded` if that is not enough.
    """
    for places in _FEWER:
        text = _text(listing, pins or {}, places)
        if len(text.encode()) <= YAML_BYTES:
            return text
    raise LimitExceeded(
        f"the image set would be longer than {in_words(YAML_BYTES)}",
        hint="discover fewer files at a time, and write a set for each part",
    )


def _text(listing: Listing, pins: Mapping[Reference, Digest], places: int) -> str:
    lines = ["kind: ImageSet", "version: 1", "images:" if listing.images else "images: []"]
    targets = _targets(listing.images)
    for entry in listing.images:
        lines += _image(entry, targets.get(entry.reference), pins.get(entry.reference), places)
    questions = open_points(listing)
    if questions:
        lines.append("questions:")
    for question in questions:
        lines += [f"  - text: {quoted(question.text)}"] if question.text else ["  -"]
        lines += [f"    reason: {quoted(question.reason)}", *_found(question.places, places)]
    return "\n".join(lines).replace("  -\n    ", "  - ") + "\n"


def _image(entry: FoundImage, target: str | None, pin: Digest | None, places: int) -> Iterator[str]:
    yield f"  - source: {scalar(str(entry.reference))}"
    if pin is not None and entry.reference.name.digest is None:
        yield f"    digest: {pin}"
    if target is not None:
        yield f"    target: {scalar(target)}"
    if len(entry.running) == 1 and pin is None and entry.reference.name.digest is None:
        yield f"    # nodes run {entry.running[0]}"
    if entry.sureness == "likely":
        yield f"    # likely: {comment(', '.join(entry.rules))}"
    yield from _found(entry.places, places)


def _found(places: Iterable[Place], most: int) -> Iterator[str]:
    texts = list(dict.fromkeys(map(str, places)))
    more = len(texts) - most
    yield "    found:"
    yield from (f"      - {quoted(text)}" for text in texts[:most])
    if more > 0:
        yield f'      - "and {number_of(more, "place")} more"'


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
