"""Deletes many names of a layout in one change of `index.json`, and then all content that only they needed.

The order survives a kill at any point: a note of the content that will go, the new index, the content, the end of the
note. Content is deleted only if no manifest that is still listed needs it, looked up while `index.json` is locked; so
the next call can go on with a note, whatever has arrived since.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress

from transload.clock import Clock
from transload.errors import BlobUnknown, CorruptError, DigestInvalid, LimitExceeded, SchemaUnsupported
from transload.files import Folder, local_errors, read_up_to, write_all
from transload.layout.blobs import Blobs
from transload.limits import INDEX_BYTES, KNOWN_MANIFESTS, MANIFEST_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import Entry, LayoutIndex
from transload.ports import Pruned
from transload.values import frozen

_NOTE = "prune"  # one digest in each line


@frozen
class _Needs:
    """What one listed manifest leads to: itself, what is below it, and what it refers to."""

    digests: frozenset[Digest]
    subject: Digest | None


class LayoutPrunes:
    """Prunes one layout. `changing` locks the index for a change, `replace` writes a new one; `own` is our folder."""

    def __init__(
        self,
        blobs: Blobs,
        own: Folder,
        changing: Callable[[], AbstractContextManager[bool]],
        index: Callable[[], LayoutIndex],
        replace: Callable[[LayoutIndex], None],
        clock: Clock,
    ) -> None:
        self._blobs = blobs
        self._own = own
        self._changing = changing
        self._index = index
        self._replace = replace
        self._clock = clock

    def listed(self) -> Iterable[Digest]:
        """See `transload.ports.Prunes`."""
        return self._index().digests.keys()

    def unfinished(self) -> Mapping[Digest, int]:
        """See `transload.ports.Prunes`."""
        return self._sizes(self._noted())

    def stored(self, older_than_s: float) -> Mapping[Digest, int]:
        """See `transload.ports.Prunes`."""
        return self._blobs.stored(self._clock.wall_s() - older_than_s)

    def prune(self, names: Mapping[Name, Digest], content: Mapping[Digest, int]) -> Pruned:
        """See `transload.ports.Prunes`."""
        with self._changing():
            index = self._index()
            gone = {
                entry.name
                for entry in index.entries
                if entry.name is not None and names.get(entry.name) == entry.descriptor.digest
            }
            kept = [entry for entry in index.entries if entry.name is None or entry.name not in gone]
            wanted = {*content, *self._noted()}
            needed = self._needed(kept, wanted)
            loose = wanted - needed
            sizes = self._sizes(loose)
            if sizes:
                self._note(loose)
            changed = index.without(lambda entry: _goes(entry, gone, loose))
            if changed is not index:
                self._replace(changed)
            for digest in sizes:
                self._blobs.delete(digest)
            with local_errors("deleting", self._own.path / _NOTE):
                self._own.unlink(_NOTE)
        return Pruned(names=frozenset(gone), content=sizes)

    # --- what is needed

    def _needed(self, kept: Iterable[Entry], wanted: set[Digest]) -> set[Digest]:
        """What the kept entries need. One without a name, whose digest is `wanted`, stays only if its subject does."""
        needed: set[Digest] = set()
        waiting: dict[Digest, list[_Needs]] = {}
        for entry in kept:
            needs = self._needs(entry.descriptor)
            if entry.name is None and entry.descriptor.digest in wanted and needs.subject is not None:
                waiting.setdefault(needs.subject, []).append(needs)
            elif entry.name is not None or entry.descriptor.digest not in wanted:
                needed |= needs.digests
        reached = [digest for digest in waiting if digest in needed]
        while reached:
            for needs in waiting.pop(reached.pop(), ()):
                needed |= needs.digests
                reached += [digest for digest in needs.digests if digest in waiting]
        return needed

    def _needs(self, root: Descriptor) -> _Needs:
        """What a listed manifest leads to. What is not there needs nothing. Raises `CorruptError`, `LimitExceeded`."""
        reached: set[Digest] = set()
        waiting, subject = [root], None
        while waiting:
            descriptor = waiting.pop()
            if descriptor.digest in reached:
                continue
            if len(reached) > KNOWN_MANIFESTS:
                raise LimitExceeded(f"more than {KNOWN_MANIFESTS} manifests and blobs below one", subject=root.digest)
            reached.add(descriptor.digest)
            manifest = self._read(descriptor)
            if manifest is not None:
                reached.update(blob.digest for blob in manifest.blobs)
                waiting += manifest.manifests
                if manifest.subject is not None:
                    reached.add(manifest.subject.digest)
                    waiting.append(manifest.subject)
                    subject = manifest.subject.digest if descriptor is root else subject
        return _Needs(frozenset(reached), subject)

    def _read(self, descriptor: Descriptor) -> Manifest | None:
        if not descriptor.is_manifest:
            return None
        try:
            return Manifest.parse(
                self._blobs.read(descriptor.digest, MANIFEST_BYTES + 1), descriptor.media_type, descriptor.digest
            )
        except (BlobUnknown, SchemaUnsupported):
            return None
        except CorruptError as error:
            error.hint = error.hint or "nothing was deleted: what this manifest needs is not known"
            raise

    # --- the note

    def _noted(self) -> set[Digest]:
        if self._own.status(_NOTE) is None:
            return set()
        with local_errors("reading", self._own.path / _NOTE), self._own.open(_NOTE, "r") as file:
            return set(_digests(read_up_to(file, INDEX_BYTES)))

    def _note(self, content: Iterable[Digest]) -> None:
        beside = f"{_NOTE}.new"
        with local_errors("writing", self._own.path / _NOTE):
            self._own.unlink(beside)
            with self._own.open(beside, "x+") as file:
                write_all(file, "".join(f"{digest}\n" for digest in sorted(content)).encode())
                os.fsync(file.fileno())
            self._own.move(beside, self._own, _NOTE)
            self._own.flush()

    def _sizes(self, content: Iterable[Digest]) -> dict[Digest, int]:
        """The sizes in bytes of what is there."""
        sizes: dict[Digest, int] = {}
        for digest in sorted(content):
            with suppress(BlobUnknown):
                sizes[digest] = self._blobs.size(digest)
        return sizes


def _goes(entry: Entry, gone: Collection[Name], loose: Collection[Digest]) -> bool:
    return entry.descriptor.digest in loose if entry.name is None else entry.name in gone


def _digests(raw: bytes) -> Iterator[Digest]:
    for line in raw.decode("ascii", "replace").splitlines():
        with suppress(DigestInvalid):
            yield Digest(line)
