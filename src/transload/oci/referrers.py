"""Finds referrers in a store with an `index.json`: reads every listed manifest and all below, each once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import compress, repeat

from transload.clock import SYSTEM_CLOCK, Clock
from transload.errors import BlobUnknown, CorruptError, LimitExceeded, Refused, SchemaUnsupported
from transload.expressions import late
from transload.limits import INDEX_DEPTH, KNOWN_MANIFESTS, MANIFEST_BYTES, REFERRERS_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import Entry
from transload.oci.manifest import may_have_subject
from transload.oci.mediatype import IMAGES
from transload.values import frozen
from transload.wording import in_words

FALLBACK = late(r"sha256-([0-9a-f]{64})|sha512-([0-9a-f]{64})")
"""A tag whose index lists the referrers of a manifest (distribution specification, "Referrers Tag Schema")."""


def is_fallback(tag: str | None) -> bool:
    """Whether a tag has the look of one with a list of referrers."""
    return tag is not None and FALLBACK.fullmatch(tag) is not None


_SELDOM = 9
"""What is absent is looked for again after so many times as long as it took to look."""


@frozen
class _Known:
    """The parts of a manifest that are kept in memory."""

    descriptor: Descriptor
    subject: Digest | None
    manifests: tuple[Descriptor, ...]

    @property
    def weight(self) -> int:
        """About how many bytes of memory this takes."""
        return self.descriptor.weight + sum(child.weight for child in self.manifests)


class ListedReferrers:
    """Walks from the listed manifests. What it reads is remembered, because the content of a digest never changes.

    What is no longer listed is forgotten again: the tags of a served folder may move for years. `listed` should give
    the same tuple until it changes, and `read` the bytes of a manifest; it raises `BlobUnknown` for one that is absent.
    `read_many`, if the store has it, gives the bytes of many for less, as `transload.gathers.ReadsMany` does.
    """

    def __init__(
        self,
        listed: Callable[[], Sequence[Descriptor]],
        read: Callable[[Descriptor], bytes],
        clock: Clock = SYSTEM_CLOCK,
        *,
        read_many: Callable[[Sequence[Descriptor]], Iterator[bytes | None]] | None = None,
    ) -> None:
        self._listed = listed
        self._read = read
        self._read_many = read_many
        self._clock = clock
        self._known: dict[Digest, _Known] = {}
        self._by_subject: tuple[tuple[Descriptor, ...], Mapping[Digest, tuple[Descriptor, ...]]] = ((), {})
        self._absent: tuple[Descriptor, ...] = ()
        self._absent_until_s = 0.0

    def referrers(self, repository: str, digest: Digest) -> tuple[Descriptor, ...]:  # noqa: ARG002 - one pool for all
        """Descriptors of the manifests whose subject is `digest`, as the distribution specification lists referrers.

        A run asks this for each manifest that it copies, so what one walk has found answers until the list changes, or
        something comes that it lists and that was absent.
        """
        listed = tuple(self._listed())  # a tuple stays the same one
        before, by_subject = self._by_subject
        if (listed is not before and listed != before) or self._has_come():
            by_subject, below = {}, dict[Digest, Descriptor]()
            for known in self._walk(listed):
                below |= {child.digest: child for child in known.manifests}
                if known.subject is not None:
                    by_subject[known.subject] = (*by_subject.get(known.subject, ()), known.descriptor)
            below |= {descriptor.digest: descriptor for descriptor in listed}
            self._absent = tuple(
                each for digest, each in below.items() if each.is_manifest and digest not in self._known
            )
            self._by_subject = (listed, by_subject)
        return by_subject.get(digest, ())

    def _has_come(self) -> bool:
        """Whether something is there by now that was absent. Looking takes a tenth of the time at most."""
        began_s = self._clock.monotonic_s()
        if not self._absent or began_s < self._absent_until_s:
            return False
        found = any(self._look_at(descriptor) is not None for descriptor in self._absent)
        now_s = self._clock.monotonic_s()
        self._absent_until_s = now_s + _SELDOM * (now_s - began_s)
        return found

    def refers(self, descriptor: Descriptor) -> bool:
        """Whether this manifest has a subject. It is not remembered: whoever asks is often about to unlist it."""
        known = self._known.get(descriptor.digest) or self._look_at(descriptor)
        return known is not None and known.subject is not None

    def independent(self, listed: Iterable[Descriptor]) -> Iterator[Descriptor]:
        """Those of `listed` that are not part of another manifest in the store, and do not refer to one.

        A manifest that cannot be read is included, so that its error is reported to whoever copies it.
        """
        listed = tuple(listed)
        known = {manifest.descriptor.digest: manifest for manifest in self._readable()} if listed else {}
        below = {child.digest for manifest in known.values() for child in manifest.manifests}
        for descriptor in listed:
            readable = known.get(descriptor.digest)
            if descriptor.digest not in below and not (readable and readable.subject in known):
                yield descriptor

    def _readable(self) -> Iterator[_Known]:
        """Every listed manifest and all below that can be read, each once."""
        seen: set[Digest] = set()
        weighed = 0
        waiting = list(self._listed())
        while waiting:
            descriptor = waiting.pop()
            if descriptor.digest in seen or len(seen) >= KNOWN_MANIFESTS:
                continue
            seen.add(descriptor.digest)
            with suppress(CorruptError, Refused):
                known = self._look(descriptor, weighed)
                if known:
                    weighed += known.weight
                    waiting += known.manifests
                    yield known
        self._forget_all_but(seen)

    def _walk(self, listed: Iterable[Descriptor]) -> Iterator[_Known]:
        seen: set[Digest] = set()
        weighed = 0
        level = list(listed)
        for _ in range(INDEX_DEPTH):
            below: list[Descriptor] = []
            for descriptor, raw in self._with_bytes(level):
                if descriptor.digest not in seen and (known := self._look(descriptor, weighed, raw)):
                    seen.add(descriptor.digest)
                    weighed += known.weight
                    below.extend(known.manifests)
                    yield known
            if len(seen) + len(below) > KNOWN_MANIFESTS:
                raise LimitExceeded(f"the index lists more than {KNOWN_MANIFESTS} manifests")
            level = below
        self._forget_all_but(seen)

    def _with_bytes(self, level: Sequence[Descriptor]) -> Iterator[tuple[Descriptor, bytes | None]]:
        """Each of these, with its bytes if it is still to be read and the store reads many; others have None."""
        if self._read_many is None:
            yield from zip(level, repeat(None))
            return
        unread = [each.digest not in self._known and each.is_manifest and each.size <= MANIFEST_BYTES for each in level]
        contents = self._read_many(list(compress(level, unread)))
        for descriptor, is_read in zip(level, unread, strict=True):
            raw = next(contents, None) if is_read else None
            yield descriptor, raw if raw is not None and len(raw) == descriptor.size else None

    def _look(self, descriptor: Descriptor, weighed: int, raw: bytes | None = None) -> _Known | None:
        """What is known of a manifest, remembered; see `_look_at`. `weighed` bytes were remembered in this walk."""
        known = self._known.get(descriptor.digest) or self._look_at(descriptor, raw)
        if known is not None:
            if weighed + known.weight > REFERRERS_BYTES:
                self._known = {}
                raise LimitExceeded(f"the manifests of the index take more than {in_words(REFERRERS_BYTES)} of memory")
            self._known[descriptor.digest] = known
        return known

    def _look_at(self, descriptor: Descriptor, raw: bytes | None = None) -> _Known | None:
        """What a manifest says; None if it is absent (a layout may hold part of an index) or not a manifest.

        `raw` are its bytes, if they have been read.
        """
        if not descriptor.is_manifest:
            return None
        try:
            if raw is None:
                raw = self._read(descriptor)
            if _is_plain(raw, descriptor):
                return _Known(descriptor, None, ())
            return _known(Manifest.parse(raw, descriptor.media_type, descriptor.digest))
        except (BlobUnknown, SchemaUnsupported):
            return None

    def _forget_all_but(self, listed: Container[Digest]) -> None:
        self._known = {digest: known for digest, known in tuple(self._known.items()) if digest in listed}


def _is_plain(raw: bytes, descriptor: Descriptor) -> bool:
    """Whether these are the bytes of an image that has no subject."""
    return (
        descriptor.media_type in IMAGES
        and not may_have_subject(raw)
        and len(raw) <= MANIFEST_BYTES
        and Digest.of(raw, descriptor.digest.algorithm) == descriptor.digest
    )


def _known(manifest: Manifest) -> _Known:
    return _Known(manifest.as_referrer, manifest.subject.digest if manifest.subject else None, manifest.manifests)


@frozen
class Listed:
    """The content of an `index.json` as a list (`transload.ports.Lists`). `named` has also names from other files."""

    entries: tuple[Entry, ...]
    named: Mapping[Name, Descriptor]
    referrers: ListedReferrers

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people about names that several images have."""
        names = dict.fromkeys(name for name, _ in self._shadowed())
        return tuple(f"{name} is the name of several images in it: the first one keeps it" for name in names)

    def _shadowed(self) -> Iterator[tuple[Name, Digest]]:
        """Images whose name belongs to another image, which is listed before them."""
        seen: set[tuple[Name, Digest]] = set()
        for entry in self.entries:
            first = self.named.get(entry.name) if entry.name is not None and entry.name.tag else None
            if entry.name is None or first is None or first.digest == entry.descriptor.digest:
                continue
            if (entry.name, entry.descriptor.digest) not in seen:
                seen.add((entry.name, entry.descriptor.digest))
                yield entry.name, entry.descriptor.digest

    def untagged(self) -> Iterator[Name]:
        """Images by repository and digest, then those with a digest only."""
        tagged = {(name.repository, descriptor.digest) for name, descriptor in self.named.items() if name.tag}
        yield from (name for name in self.named if not name.tag and (name.repository, name.digest) not in tagged)
        yield from (name.at(digest) for name, digest in self._shadowed() if (name.repository, digest) not in tagged)
        known = {descriptor.digest for descriptor in self.named.values()}
        nameless = {entry.descriptor.digest: entry.descriptor for entry in self.entries if entry.name is None}
        loose = (descriptor for digest, descriptor in nameless.items() if digest not in known)
        yield from (Name("", None, descriptor.digest) for descriptor in self.referrers.independent(loose))
