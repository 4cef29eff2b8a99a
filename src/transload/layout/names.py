"""Stores manifests in a layout and lists them in `index.json`: one, or many in one change of it.

The order is the same for one and for many: the manifest, which is a blob; then, while `index.json` is locked, a look at
all that it needs, since another process may have pruned the layout; last the new `index.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress

from transload.errors import BlobUnknown, ManifestUnknown
from transload.gathers import Put
from transload.layout.blobs import Blobs
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import LEFT_OUT, Entry, LayoutIndex, Listing
from transload.oci.referrers import ListedReferrers
from transload.values import frozen

_TRIES = 20  # to get a change into an index that other processes change too, where there are no locks


@frozen(kw_only=True)
class LayoutNames:
    """The names of one layout. `changing` locks the index for a change, `replace` writes a new one.

    `exists` says whether content is there and not known to be damaged, `keep` makes blobs of small contents.
    """

    blobs: Blobs
    referrers: ListedReferrers
    exists: Callable[[str, Descriptor], bool]
    keep: Callable[[Sequence[tuple[Descriptor, bytes]]], None]
    changing: Callable[[], AbstractContextManager[bool]]
    index: Callable[[], LayoutIndex]
    replace: Callable[[LayoutIndex], None]

    def put(self, puts: Sequence[Put]) -> None:
        """Store manifests, and list each under its name. Raises `NotFound` if a needed part of one is missing.

        If there is one, it is not even stored then.
        """
        if len(puts) == 1:
            self.check_parts(puts[0])
        self._enter(puts, self.check_parts)

    def put_lacking(self, name: Name, manifest: Manifest) -> None:
        """Store a manifest under a name, although parts of it may be missing."""
        self._enter([Put(name=name, manifest=manifest)], lambda put: self._absent_children(put.manifest))

    def check_parts(self, put: Put) -> list[Digest]:
        """The children that are absent, all of them on purpose. Raises `NotFound` for another part that is missing."""
        digest = put.manifest.digest
        for blob in put.manifest.blobs:
            if not blob.is_foreign and not self.exists("", blob):
                raise BlobUnknown(f"{digest.short} needs blob {blob.digest.short}", subject=blob.digest)
        absent = self._absent_children(put.manifest)
        if absent and not put.sparse:
            raise ManifestUnknown(f"{digest.short} needs {absent[0].short}", subject=absent[0])
        return absent

    def _absent_children(self, manifest: Manifest) -> list[Digest]:
        return [child.digest for child in manifest.manifests if not self.exists("", child)]

    def _enter(self, puts: Sequence[Put], absent: Callable[[Put], list[Digest]]) -> None:
        self._keep_all([put.manifest for put in puts])
        listed = [put for put in puts if not (_may_stay_unlisted(put) and not absent(put))]
        if not listed:
            return
        with self.changing() as held:
            for _ in range(1 if held else _TRIES):
                wanted = [Listing(_name_of(put), put.manifest.descriptor, frozenset(absent(put))) for put in listed]
                self._keep_all([put.manifest for put in listed if not self.blobs.exists(put.manifest.descriptor)])
                index = self.index()
                changed = index.listing(wanted, self._keeps).without(_parts_of(listed))
                if changed is index:
                    return
                self.blobs.flush()  # once here, not at each commit
                self.replace(changed)

    def _keeps(self, old: Descriptor) -> bool:
        """Whether a manifest stays listed when its name goes to another one."""
        return self.referrers.refers(old)

    def _keep_all(self, manifests: Iterable[Manifest]) -> None:
        lacking = {manifest.digest: manifest for manifest in manifests if not self._is_kept(manifest)}
        if lacking:
            self.keep([(manifest.descriptor, manifest.raw) for manifest in lacking.values()])

    def _is_kept(self, manifest: Manifest) -> bool:
        with suppress(BlobUnknown):
            return self.blobs.read(manifest.digest, len(manifest.raw) + 1) == manifest.raw
        return False


def _may_stay_unlisted(put: Put) -> bool:
    """Whether it is only a part of an index, if nothing is left out of it."""
    return put.part and put.name.tag is None and put.manifest.subject is None


def _name_of(put: Put) -> Name:
    """The name in `index.json`: without a tag it is that of the digest, or none for what refers to another manifest."""
    if put.name.tag is not None:
        return put.name
    return Name("" if put.manifest.subject else put.name.repository, None, put.manifest.digest)


def _parts_of(puts: Sequence[Put]) -> Callable[[Entry], bool]:
    """Whether an image without a tag is a child of one of these indexes now, and so needs no entry of its own."""
    parts = {(_name_of(put).repository, child.digest) for put in puts for child in put.manifest.manifests}

    def is_part(entry: Entry) -> bool:
        name = entry.name
        if name is None or name.tag or LEFT_OUT in entry.descriptor.annotations:
            return False
        return (name.repository, name.digest) in parts

    return is_part if parts else _never


def _never(entry: Entry) -> bool:  # noqa: ARG001 - as `LayoutIndex.without` calls it
    return False
