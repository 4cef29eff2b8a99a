"""An OCI image layout in a tar, as `oci-archive:`, buildx, and `docker save` since version 25 write it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property

from transload.archive.docker import DockerContent
from transload.archive.members import Member, Members
from transload.archive.saved import SavedImage
from transload.errors import BlobUnknown, ManifestInvalid, SchemaUnsupported
from transload.limits import INDEX_BYTES, MANIFEST_BYTES, SMALL_JSON_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.imagelayout import INDEX, MARKER, LayoutIndex, blob_path, check_marker
from transload.oci.referrers import Listed, ListedReferrers

NOTE = "docker saved the layers uncompressed, so digests differ from the publisher's"


class LayoutContent:
    """Names and content of a layout in `members`. `saved` is docker's own list of the same images.

    Raises `Refused` for another version, `ManifestInvalid`, `LimitExceeded`.
    """

    def __init__(self, members: Members, saved: Sequence[SavedImage] = ()) -> None:
        self._members = members
        self._saved = saved
        self._check_version()
        index = members.find(INDEX)
        if index is None:
            raise ManifestInvalid(f"{members.path} is an OCI layout without {INDEX}", subject=str(members.path))
        self._index = LayoutIndex.parse(members.read(index, INDEX_BYTES + 1))
        self.refers = ListedReferrers(lambda: self._index.descriptors, self._raw)

    @cached_property
    def names(self) -> Mapping[Name, Descriptor | SavedImage]:
        """Every name and what it stands for, in order."""
        return {**self._own, **{name: image for name, image in self._rest.names.items() if name not in self._own}}

    @cached_property
    def _own(self) -> Mapping[Name, Descriptor]:
        """The names of the manifests in the index. Those without a name there get the one in docker's list."""
        named = self._index.names
        known = {descriptor.digest for descriptor in named.values()}
        beside = ((name, listed) for name, listed in self._names_beside() if listed.digest not in known)
        return {**dict(beside), **named}

    @cached_property
    def _rest(self) -> DockerContent:
        """The images that are only in docker's list.

        If images are saved with names and by identifier together, docker since version 25 leaves the latter out of the
        index.
        """
        return DockerContent(self._members, [image for image in self._saved if self._is_unlisted(image)])

    def _is_unlisted(self, image: SavedImage) -> bool:
        named = not self._index.names.keys().isdisjoint(image.names)
        return not named and image.config_digest not in self._configs and image.config in self._members

    def left_out(self, repository: str, digest: Digest) -> frozenset[Digest]:  # noqa: ARG002 - one pool for all
        """Children of this index that are absent on purpose; empty for anything else."""
        return frozenset(child for child in self._index.left_out.get(digest, ()) if self.find(child) is None)

    @property
    def _listed(self) -> Listed:
        return Listed(self._index.entries, self._own, self.refers)

    def untagged(self) -> Iterator[Name]:
        """Every image without a tag, by its digest."""
        yield from self._listed.untagged()
        yield from self._rest.untagged()

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for people: docker saves uncompressed layers if it does not have the original ones."""
        remade = self._saved and any(_is_remade(manifest) for _, manifest in self._images())
        made = self._rest.notes if self._rest.has_images else ()
        return (*((NOTE,) if remade else ()), *made, *self._listed.notes)

    def described(self, name: Name) -> Descriptor:
        """What a listed name stands for. Raises `KeyError`."""
        return self._own[name] if name in self._own else self._rest.described(name)

    def media_type(self, digest: Digest) -> str | None:
        """The media type of a manifest in the index; None if it is not listed."""
        listed = self._index.digests.get(digest)
        return listed.media_type if listed else None

    def find(self, digest: Digest) -> Member | bytes | None:
        """The member with this content, or the bytes of a manifest that was made here; None if there is neither."""
        return self._members.find(blob_path(digest)) or self._rest.find(digest)

    def _check_version(self) -> None:
        member = self._members.find(MARKER)
        raw = self._members.read(member, SMALL_JSON_BYTES + 1) if member else b""
        archive = str(self._members.path)
        check_marker(raw, layout=archive, marker=f"{MARKER} in {archive}", subject=MARKER)

    def _names_beside(self) -> Iterator[tuple[Name, Descriptor]]:
        """Names that are only in docker's own list. The digest of its config says which manifest an entry means."""
        for image in self._saved:
            descriptor = self._configs.get(image.config_digest) if image.config_digest else None
            if descriptor is not None:
                yield from ((name, descriptor) for name in image.names)

    @cached_property
    def _configs(self) -> Mapping[Digest, Descriptor]:
        """The listed manifests, by the digests of their configs."""
        return {manifest.config.digest: listed for listed, manifest in self._images() if manifest.config}

    def _images(self) -> Iterator[tuple[Descriptor, Manifest]]:
        """The readable manifests, each with the listed descriptor that it is, or (for a child) is part of."""
        for listed in self._index.digests.values():
            for manifest in self._readable((listed,)):
                yield listed, manifest
                yield from ((listed, child) for child in self._readable(manifest.manifests))

    def _readable(self, descriptors: Iterable[Descriptor]) -> Iterator[Manifest]:
        for descriptor in descriptors:
            with suppress(BlobUnknown, ManifestInvalid, SchemaUnsupported):
                yield self._manifest(descriptor)

    def _manifest(self, descriptor: Descriptor) -> Manifest:
        return Manifest.parse(self._raw(descriptor), descriptor.media_type, descriptor.digest)

    def _raw(self, descriptor: Descriptor) -> bytes:
        member = self._members.find(blob_path(descriptor.digest))
        if member is None:
            raise BlobUnknown(f"{self._members.path} has no blob {descriptor.digest.short}", subject=descriptor.digest)
        return self._members.read(member, MANIFEST_BYTES + 1)


def _is_remade(manifest: Manifest) -> bool:
    return any(layer.media_type.endswith(".tar") for layer in manifest.layers)
