"""Deletes names and content from a layout, but nothing that a listed manifest still needs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from transload.errors import (
    BlobUnknown,
    LimitExceeded,
    ManifestInvalid,
    ManifestUnknown,
    Refused,
    SchemaUnsupported,
)
from transload.layout.blobs import Blobs
from transload.limits import MANIFEST_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import Entry, LayoutIndex
from transload.values import frozen

_REMEMBERED = 20_000  # manifests


class LayoutDeletes:
    """Deletes from one layout. `changing` locks the index for a change, `replace` writes a new index.

    Blobs belong to all repositories of a layout, so a blob is not deleted if any listed manifest needs it.
    """

    def __init__(
        self,
        blobs: Blobs,
        changing: Callable[[], AbstractContextManager[bool]],
        index: Callable[[], LayoutIndex],
        replace: Callable[[LayoutIndex], None],
    ) -> None:
        self._blobs = blobs
        self._changing = changing
        self._index = index
        self._replace = replace
        self._below: dict[tuple[Digest, str], _Below] = {}

    def delete_manifest(self, name: Name) -> None:
        """Take a tag away, or a manifest with every tag of the repository that stands for it.

        Raises `ManifestUnknown`; `Refused` for the child of an index that is listed.
        """
        with self._changing():
            index = self._index()
            changed = index.without(lambda entry: _is_meant(entry, name))
            if changed is index and not (name.digest and self._blobs.has(name.digest)):
                raise ManifestUnknown(f"there is no {name}", subject=str(name))
            listed = name.digest is not None and name.digest in changed.digests
            if name.digest is not None and not listed:
                self._check_not_needed(name.digest, changed)
            if changed is not index:
                self._replace(changed)
            if name.digest is not None and not listed:
                self._blobs.delete(name.digest)

    def delete_blob(self, repository: str, digest: Digest) -> None:  # noqa: ARG002 - one pool for all
        """Delete a blob that nothing needs. Raises `BlobUnknown`, `Refused`."""
        with self._changing():
            self._blobs.size(digest)
            self._check_not_needed(digest, self._index())
            self._blobs.delete(digest)

    def _check_not_needed(self, digest: Digest, index: LayoutIndex) -> None:
        walked: set[tuple[Digest, str]] = set()
        for entry in index.entries:
            if entry.descriptor.digest == digest or self._needs(entry.descriptor, digest, walked):
                wanted = entry.name or entry.descriptor.digest
                raise Refused(f"{digest.short} is needed by {wanted}", subject=digest, hint="delete that first")

    def _needs(self, root: Descriptor, digest: Digest, walked: set[tuple[Digest, str]]) -> bool:
        """Whether `digest` is below `root`. Each manifest is read once, however often it is listed."""
        below = [root]
        while below:
            descriptor = below.pop()
            if (descriptor.digest, descriptor.media_type) in walked:
                continue
            walked.add((descriptor.digest, descriptor.media_type))
            needs = self._needs_of(descriptor)
            if digest in needs.digests:
                return True
            below.extend(needs.manifests)
        return False

    def _needs_of(self, descriptor: Descriptor) -> _Below:
        """What a manifest needs, remembered: its content never changes, and thousands may be deleted one by one.

        Nothing if it cannot be read, because we cannot know what it needs; then it is read again the next time.
        """
        key = (descriptor.digest, descriptor.media_type)
        known = self._below.get(key)
        if known is not None:
            return known
        manifest = self._read(descriptor)
        if manifest is None:
            return _Below(frozenset(), ())
        if len(self._below) >= _REMEMBERED:
            self._below = {}
        needed = frozenset(child.digest for child in (*manifest.blobs, *manifest.manifests))
        return self._below.setdefault(key, _Below(needed, manifest.manifests))

    def _read(self, descriptor: Descriptor) -> Manifest | None:
        try:
            return Manifest.parse(self._blobs.read(descriptor.digest, MANIFEST_BYTES + 1), descriptor.media_type)
        except (BlobUnknown, ManifestInvalid, LimitExceeded, SchemaUnsupported):
            return None


@frozen
class _Below:
    """What a manifest needs; `manifests` are the children of an index."""

    digests: frozenset[Digest]
    manifests: tuple[Descriptor, ...]


def _is_meant(entry: Entry, name: Name) -> bool:
    if name.digest is None:
        return entry.name == name
    here = entry.name is None or entry.name.repository == name.repository
    return here and entry.descriptor.digest == name.digest
