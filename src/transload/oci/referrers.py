"""Who refers to what in a store with an `index.json`: found by looking at every manifest it leads to, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from attrs import frozen

from transload.errors import BlobUnknown, CorruptError, LimitExceeded, Refused, SchemaUnsupported
from transload.limits import INDEX_DEPTH, KNOWN_MANIFESTS, REFERRERS_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import Entry
from transload.wording import in_words


@frozen
class _Known:
    """What has to be remembered of a manifest."""

    descriptor: Descriptor
    subject: Digest | None
    manifests: tuple[Descriptor, ...]


class ListedReferrers:
    """Walks from the listed manifests; what was learnt of a digest stays true, so it is remembered."""

    def __init__(self, listed: Callable[[], Iterable[Descriptor]], read: Callable[[Descriptor], Manifest]) -> None:
        self._listed = listed
        self._read = read
        self._known: dict[Digest, _Known] = {}
        self._weight = 0

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - one pool for all
        """See `transload.ports.Refers`; the descriptors as the distribution specification lists referrers."""
        return tuple(known.descriptor for known in self._walk() if known.subject == digest)

    def refers(self, descriptor: Descriptor) -> bool:
        """Whether this manifest has a subject."""
        known = self._look(descriptor)
        return known is not None and known.subject is not None

    def independent(self, listed: Iterable[Descriptor]) -> Iterator[Descriptor]:
        """Those of some manifests that are neither part of another one that is there, nor refer to one.

        What cannot be read belongs to nothing that we could know of, so that whoever wants it is told.
        """
        listed = tuple(listed)
        known = {each.descriptor.digest: each for each in self._readable()} if listed else {}
        below = {child.digest for each in known.values() for child in each.manifests}
        for descriptor in listed:
            found = known.get(descriptor.digest)
            if descriptor.digest not in below and not (found and found.subject in known):
                yield descriptor

    def _readable(self) -> Iterator[_Known]:
        """Everything listed and below, each once, that can be read."""
        seen: set[Digest] = set()
        waiting = list(self._listed())
        while waiting:
            descriptor = waiting.pop()
            if descriptor.digest in seen or len(seen) >= KNOWN_MANIFESTS:
                continue
            seen.add(descriptor.digest)
            with suppress(CorruptError, Refused):
                known = self._look(descriptor)
                if known:
                    waiting += known.manifests
                    yield known

    def _walk(self) -> Iterator[_Known]:
        seen: set[Digest] = set()
        level = list(self._listed())
        for _ in range(INDEX_DEPTH):
            below: list[Descriptor] = []
            for descriptor in level:
                if descriptor.digest not in seen and (known := self._look(descriptor)):
                    seen.add(descriptor.digest)
                    below.extend(known.manifests)
                    yield known
            if len(seen) + len(below) > KNOWN_MANIFESTS:
                raise LimitExceeded(f"the index lists more than {KNOWN_MANIFESTS} manifests")
            level = below

    def _look(self, descriptor: Descriptor) -> _Known | None:
        """None for what is not there (a layout may hold part of an index only) and for what refers to nothing."""
        if descriptor.digest not in self._known:
            if not descriptor.is_manifest:
                return None
            try:
                known = _known(self._read(descriptor))
            except (BlobUnknown, SchemaUnsupported):
                return None
            weight = known.descriptor.weight + sum(each.weight for each in known.manifests)
            if self._weight + weight > REFERRERS_BYTES:
                raise LimitExceeded(f"the manifests of the index take more than {in_words(REFERRERS_BYTES)} of memory")
            self._weight += weight
            self._known[descriptor.digest] = known
        return self._known[descriptor.digest]


def _known(manifest: Manifest) -> _Known:
    return _Known(manifest.as_referrer, manifest.subject.digest if manifest.subject else None, manifest.manifests)


@frozen
class Listed:
    """What an `index.json` lists; see `transload.ports.Lists`. `named` has every name, also those given elsewhere."""

    entries: tuple[Entry, ...]
    named: Mapping[Name, Descriptor]
    referrers: ListedReferrers

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of names that several images have."""
        names = dict.fromkeys(name for name, _ in self._shadowed())
        return tuple(f"{name} is the name of several images in it: the first one keeps it" for name in names)

    def _shadowed(self) -> Iterator[tuple[Name, Digest]]:
        """Images whose name belongs to another one, listed before them."""
        seen: set[tuple[Name, Digest]] = set()
        for each in self.entries:
            first = self.named.get(each.name) if each.name is not None and each.name.tag else None
            if each.name is None or first is None or first.digest == each.descriptor.digest:
                continue
            if (each.name, each.descriptor.digest) not in seen:
                seen.add((each.name, each.descriptor.digest))
                yield each.name, each.descriptor.digest

    def untagged(self) -> Iterator[Name]:
        """Images by repository and digest, then those of which nothing but the digest is known."""
        tagged = {(name.repository, descriptor.digest) for name, descriptor in self.named.items() if name.tag}
        yield from (name for name in self.named if not name.tag and (name.repository, name.digest) not in tagged)
        yield from (name.at(digest) for name, digest in self._shadowed() if (name.repository, digest) not in tagged)
        known = {descriptor.digest for descriptor in self.named.values()}
        nameless = {each.descriptor.digest: each.descriptor for each in self.entries if each.name is None}
        loose = (descriptor for digest, descriptor in nameless.items() if digest not in known)
        yield from (Name("", None, descriptor.digest) for descriptor in self.referrers.independent(loose))
