"""The two files that make a layout: its marker, `oci-layout`, and its `index.json` with the entries of many tools.

Rules kept here for `index.json`:
1. an entry that was read is written back unchanged, with every field, known or not;
2. a name belongs to one entry; if another tool wrote several, the first one wins;
3. an entry without a name (or with one that we cannot read) can be found by its digest only;
4. an annotation of an index's entry lists the children that were left out on purpose;
5. an image with a digest and no tag is listed with its repository, as `repository@digest`, until an index in the same
   repository has it as a child.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from transload.errors import DigestInvalid, LimitExceeded, ManifestInvalid, Refused
from transload.limits import (
    INDEX_BYTES,
    INDEX_ENTRIES,
    INDEX_VALUES,
    MANIFEST_ENTRIES,
    SMALL_JSON_BYTES,
    SMALL_JSON_VALUES,
)
from transload.oci.content import read_content
from transload.oci.descriptor import Descriptor
from transload.oci.digest import Digest
from transload.oci.mediatype import OCI_INDEX
from transload.oci.reference import Name, tags_by_repository
from transload.oci.refname import NAME_KEYS, annotations_for, name_of
from transload.values import define, evolve, field, frozen

MARKER, INDEX = "oci-layout", "index.json"
VERSION = "1.0.0"
LEFT_OUT = "io.transload.left-out"


def blob_path(digest: Digest) -> str:
    """Where a layout keeps a blob or manifest (OCI image layout specification, "Blobs")."""
    return f"blobs/{digest.algorithm}/{digest.encoded}"


def check_marker(raw: bytes, *, layout: str, marker: str, subject: str) -> None:
    """Check that the content of `oci-layout` states our version (image-layout.md, "oci-layout file").

    `layout` and `marker` name the layout and this file in errors. Raises `ManifestInvalid`; `Refused` for any other
    version.
    """
    document = read_content(raw, marker, limit=SMALL_JSON_BYTES, values=SMALL_JSON_VALUES, subject=subject)
    version = document.get("imageLayoutVersion") if isinstance(document, dict) else None
    if version != VERSION:
        raise Refused(
            f"{layout} is a layout of version {version!r}, transload reads version {VERSION}", subject=subject
        )


@frozen
class Entry:
    """One manifest that `index.json` lists."""

    descriptor: Descriptor
    name: Name | None
    document: Mapping[str, Any] = field(eq=False, repr=False)


@frozen
class Listing:
    """What is to be listed: a manifest, the name that is to stand for it, and its children that are left out."""

    name: Name
    descriptor: Descriptor
    left_out: frozenset[Digest] = frozenset()


@define(frozen=True, slots=False)
class LayoutIndex:
    """A whole `index.json`, with its entries in order."""

    document: Mapping[str, Any] = field(eq=False, repr=False)
    entries: tuple[Entry, ...]

    @classmethod
    def empty(cls) -> LayoutIndex:
        """The index of a new layout."""
        return cls({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, ())

    @classmethod
    def parse(cls, raw: bytes) -> LayoutIndex:
        """Read the content of an `index.json`. Raises `ManifestInvalid`, `LimitExceeded`."""
        if len(raw) > INDEX_BYTES:
            raise LimitExceeded(f"index.json is over the limit of {INDEX_BYTES} bytes", subject=INDEX)
        document = read_content(raw, INDEX, limit=INDEX_BYTES, values=INDEX_VALUES, subject=INDEX)
        listed = document.get("manifests") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            raise ManifestInvalid("index.json has no list of manifests", subject=INDEX)
        if len(listed) > INDEX_ENTRIES:
            raise LimitExceeded(f"index.json is over the limit of {INDEX_ENTRIES} entries", subject=INDEX)
        return cls(document, tuple(_entry(item, number) for number, item in enumerate(listed)))

    @cached_property
    def names(self) -> Mapping[Name, Descriptor]:
        """Every name, in the order of the entries."""
        names: dict[Name, Descriptor] = {}
        for entry in self.entries:
            if entry.name:
                names.setdefault(entry.name, entry.descriptor)
        return names

    @cached_property
    def descriptors(self) -> tuple[Descriptor, ...]:
        """What the entries describe, in their order; the same tuple each time, so that a change is seen at once."""
        return tuple(entry.descriptor for entry in self.entries)

    @cached_property
    def digests(self) -> Mapping[Digest, Descriptor]:
        """Every manifest listed, by its digest."""
        return {entry.descriptor.digest: entry.descriptor for entry in reversed(self.entries)}

    @cached_property
    def tags(self) -> Mapping[str, Sequence[str]]:
        """Every repository, with its tags in the order of the entries; the empty one if there are bare tags."""
        return tags_by_repository(self.names)

    @cached_property
    def left_out(self) -> Mapping[Digest, frozenset[Digest]]:
        """For each sparse index, the children that were left out on purpose."""
        marked = ((entry.descriptor.digest, _left_out(entry)) for entry in self.entries)
        return {digest: children for digest, children in marked if children}

    def pointing(
        self, name: Name, descriptor: Descriptor, *, keep_old: bool = False, left_out: Iterable[Digest] = ()
    ) -> LayoutIndex:
        """This index with `name` standing for `descriptor`; an entry with this name keeps its position.

        Without a tag and a repository, the manifest is listed without a name, unless it is listed already. Without a
        tag only, it is listed under its digest. With `keep_old`, the manifest that the name stood for stays listed
        without a name. If nothing changes, the same index is returned.
        """
        if name.tag is None and not name.repository:
            listed = descriptor.digest in self.digests
            return self if listed else self._with((*self.entries, _written(None, descriptor, left_out)))
        wanted = Name(name.repository, name.tag, None if name.tag else descriptor.digest)
        left_out = frozenset(left_out)
        if self.names.get(wanted) == descriptor and self.left_out.get(descriptor.digest, frozenset()) == left_out:
            return self
        positions = [position for position, entry in enumerate(self.entries) if entry.name == wanted]
        first = positions[0] if positions else len(self.entries)
        others = [_unnamed(entry) if entry.name == wanted else entry for entry in self.entries]
        dropped = () if keep_old else positions
        before = [entry for position, entry in enumerate(others[:first]) if position not in dropped]
        after = [entry for position, entry in enumerate(others[first:], first) if position not in dropped]
        return self._with((*before, _written(wanted, descriptor, left_out), *after))

    def listing(self, wanted: Iterable[Listing], keeps: Callable[[Descriptor], bool]) -> LayoutIndex:
        """This index after `pointing` for each of these; the same index if nothing changes.

        `keeps` says whether the manifest that a name stood for stays listed. The work does not grow with the number of
        entries times that of the listings, except where a name was there more than once, or what it meant stays.
        """
        draft = _Draft(self)
        for listing in wanted:
            if not draft.take(listing, keeps):
                index, old = draft.finished(), draft.held(listing)
                keep_old = old is not None and old.digest != listing.descriptor.digest and keeps(old)
                draft = _Draft(
                    index.pointing(listing.name, listing.descriptor, keep_old=keep_old, left_out=listing.left_out)
                )
        return draft.finished()

    def without(self, dropped: Callable[[Entry], bool]) -> LayoutIndex:
        """This index without some entries; the same index if it has none of them."""
        entries = tuple(entry for entry in self.entries if not dropped(entry))
        return self if len(entries) == len(self.entries) else self._with(entries)

    def encode(self) -> bytes:
        """The content of the file."""
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()

    def _with(self, entries: tuple[Entry, ...]) -> LayoutIndex:
        return LayoutIndex({**self.document, "manifests": [dict(entry.document) for entry in entries]}, entries)


class _Draft:
    """An index that is being changed: its entries by name and digest, so that one more listing costs little."""

    def __init__(self, index: LayoutIndex) -> None:
        self._index = index
        self._entries = list(index.entries)
        self._digests = Counter(entry.descriptor.digest for entry in self._entries)
        self._places: dict[Name, list[int]] = {}
        self._changed = False
        for place, entry in enumerate(self._entries):
            if entry.name:
                self._places.setdefault(entry.name, []).append(place)

    def held(self, listing: Listing) -> Descriptor | None:
        """What the name stands for now."""
        places = self._places.get(_entry_name(listing))
        return self._entries[places[0]].descriptor if places else None

    def take(self, listing: Listing, keeps: Callable[[Descriptor], bool]) -> bool:
        """Whether the listing is in the draft now; if not, other entries would move, which `pointing` does."""
        name, descriptor = _entry_name(listing), listing.descriptor
        if name.tag is None and not name.repository:
            if not self._digests[descriptor.digest]:
                self._append(_written(None, descriptor, listing.left_out))
            return True
        places = self._places.get(name)
        if places is None:
            self._append(_written(name, descriptor, listing.left_out))
            return True
        old = self._entries[places[0]]
        if old.descriptor == descriptor and _left_out(old) == listing.left_out:
            return True
        if len(places) > 1 or (old.descriptor.digest != descriptor.digest and keeps(old.descriptor)):
            return False
        self._digests[old.descriptor.digest] -= 1
        self._digests[descriptor.digest] += 1
        self._entries[places[0]] = _written(name, descriptor, listing.left_out)
        self._changed = True
        return True

    def _append(self, entry: Entry) -> None:
        if entry.name:
            self._places[entry.name] = [len(self._entries)]
        self._digests[entry.descriptor.digest] += 1
        self._entries.append(entry)
        self._changed = True

    def finished(self) -> LayoutIndex:
        """The index with all that was taken; the same one if nothing changed."""
        return self._index._with(tuple(self._entries)) if self._changed else self._index


def _entry_name(listing: Listing) -> Name:
    name = listing.name
    return Name(name.repository, name.tag, None if name.tag or not name.repository else listing.descriptor.digest)


def _entry(document: object, number: int) -> Entry:
    descriptor = Descriptor.from_json(document, f"index.json: manifests[{number}]")
    if not isinstance(document, dict):
        raise ManifestInvalid(f"index.json: manifests[{number}] is not an object")
    return Entry(descriptor, name_of(descriptor.annotations), document)


def _written(name: Name | None, descriptor: Descriptor, left_out: Iterable[Digest]) -> Entry:
    annotations = (annotations_for(name) if name else {}) | left_out_annotation(left_out)
    plain = evolve(descriptor, annotations=annotations)
    return Entry(plain, name, plain.to_json())


def left_out_annotation(children: Iterable[Digest]) -> dict[str, str]:
    """The annotation that lists the children of an index that were left out on purpose; empty if there are none."""
    digests = ",".join(sorted(children))
    return {LEFT_OUT: digests} if digests else {}


def _left_out(entry: Entry) -> frozenset[Digest]:
    """The digests in an entry's annotation. Other texts in it are ignored."""
    digests = set()
    for text in entry.descriptor.annotations.get(LEFT_OUT, "").split(",", MANIFEST_ENTRIES)[:MANIFEST_ENTRIES]:
        with suppress(DigestInvalid):
            digests.add(Digest(text))
    return frozenset(digests)


def _unnamed(entry: Entry) -> Entry:
    rest = {key: value for key, value in entry.document.items() if key != "annotations"}
    annotations = {key: value for key, value in entry.descriptor.annotations.items() if key not in NAME_KEYS}
    return Entry(entry.descriptor, None, rest | ({"annotations": annotations} if annotations else {}))
