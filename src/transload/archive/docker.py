"""Archives of `docker save` before version 25, and of podman and skopeo: configs and layers, but no manifests.

For each image a manifest is made from its config and its layers in the archive. The same archive always gives the same
manifest. It is not the published one, because the published layers were compressed. It has OCI's media types, because
Docker's have none for an uncompressed layer, and Quay refuses layers that claim to be one. The layers are hashed when
an image is first used, once for each member, and checked against the config's `diff_ids`.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import zip_longest

from transload.archive.members import Member, Members
from transload.archive.saved import SavedImage, diff_ids
from transload.errors import BlobUnknown, CorruptError, DigestMismatch, LimitExceeded, ManifestInvalid
from transload.limits import CONFIG_BYTES
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.mediatype import OCI_CONFIG, OCI_LAYER, OCI_LAYER_GZIP, OCI_LAYER_ZSTD, OCI_MANIFEST

NOTE = "docker save keeps no manifests, so transload makes new ones: digests differ from the publisher's"

_MAGIC = {b"\x1f\x8b": OCI_LAYER_GZIP, b"\x28\xb5\x2f\xfd": OCI_LAYER_ZSTD}


class DockerContent:
    """Names and content of the `saved` images in `members`. Safe for threads."""

    refers: None = None
    notes = (NOTE,)

    def __init__(self, members: Members, saved: Sequence[SavedImage]) -> None:
        self._members = members
        self._saved = saved
        self._hashes = _Hashes(members)
        self._layers: dict[Member, Descriptor] = {}
        self._made: dict[SavedImage, Descriptor] = {}  # equal images share the bytes in `_contents`
        self._contents: dict[Digest, Member | bytes] = {}

    @property
    def has_images(self) -> bool:
        """Whether there are images."""
        return bool(self._saved)

    @cached_property
    def names(self) -> Mapping[Name, SavedImage]:
        """Every name and its image, in order. If a name is given twice, the first one wins."""
        names: dict[Name, SavedImage] = {}
        for image in self._saved:
            for name in image.names:
                names.setdefault(name, image)
        return names

    def untagged(self) -> Iterator[Name]:
        """Images without a name: those that were given to `docker save` by their identifier."""
        return (Name("", None, self._made_of(image).digest) for image in self._saved if not image.names)

    def described(self, name: Name) -> Descriptor:
        """What a listed name stands for. This hashes the layers. Raises `KeyError`, `CorruptError`."""
        return self._made_of(self.names[name])

    def media_type(self, digest: Digest) -> None:  # noqa: ARG002 - the manifests state it themselves
        """None: the manifests made here state their own media type."""
        return

    def find(self, digest: Digest) -> Member | bytes | None:
        """The member or the bytes with this digest; None if there is none. Reads the images until it is found."""
        for image in self._saved:
            if digest in self._contents:
                break
            with suppress(CorruptError, BlobUnknown):  # a damaged image does not hide the others
                self._made_of(image)
        return self._contents.get(digest)

    def _made_of(self, image: SavedImage) -> Descriptor:
        if image not in self._made:
            config = self._config(image)
            layers = [self._layer(member) for member in map(self._member, image.layers)]
            self._prove(image, layers)
            manifest = _manifest(config, layers)
            self._contents.setdefault(manifest.digest, manifest.raw)
            self._made[image] = manifest.descriptor
        return self._made[image]

    def _config(self, image: SavedImage) -> Descriptor:
        member = self._member(image.config)
        if member.size > CONFIG_BYTES:
            raise LimitExceeded(f"config {member.name} has {member.size} bytes", subject=member.name)
        digest = self._hashes.of(member)
        if image.config_digest not in {None, digest}:
            raise DigestMismatch(f"config {image.config} in {self._members.path} is damaged", subject=image.config)
        self._contents[digest] = member
        return Descriptor(OCI_CONFIG, digest, member.size)

    def _layer(self, member: Member) -> Descriptor:
        """The descriptor of a layer. Each member is read once, however many images have it."""
        if member not in self._layers:
            begin = self._members.read(member, 4)
            media_type = next((kind for magic, kind in _MAGIC.items() if begin.startswith(magic)), OCI_LAYER)
            digest = self._hashes.of(member)
            self._contents[digest] = member
            self._layers[member] = Descriptor(media_type, digest, member.size)
        return self._layers[member]

    def _prove(self, image: SavedImage, layers: Sequence[Descriptor]) -> None:
        """Check the layers against the config: the digests of uncompressed ones, and the number of all."""
        raw = self._members.read(self._member(image.config), CONFIG_BYTES)
        for number, (wanted, layer) in enumerate(zip_longest(diff_ids(raw, image.config), layers)):
            if wanted is None or layer is None:
                raise ManifestInvalid(
                    f"config {image.config} does not list as many layers as the archive", subject=image.config
                )
            if layer.media_type == OCI_LAYER and wanted.algorithm == "sha256" and layer.digest != wanted:
                raise DigestMismatch(
                    f"layer {image.layers[number]} in {self._members.path} is damaged: "
                    f"expected {wanted}, found {layer.digest}",
                    subject=image.layers[number],
                )

    def _member(self, name: str) -> Member:
        member = self._members.find(name)
        if member is None:
            raise BlobUnknown(f"{self._members.path} has no member {name!r}, which an image needs", subject=name)
        return member


class _Hashes:
    """Digests of members. Each is computed once, by the first thread that needs it."""

    def __init__(self, members: Members) -> None:
        self._members = members
        self._known: dict[Member, Digest] = {}
        self._turns: dict[Member, threading.Lock] = {}

    def of(self, member: Member) -> Digest:
        with self._turns.setdefault(member, threading.Lock()):
            if member not in self._known:
                running = hashlib.sha256(usedforsecurity=False)
                with self._members.open(member, 0, member.size) as chunks:
                    for chunk in chunks:
                        running.update(chunk)
                self._known[member] = Digest(f"sha256:{running.hexdigest()}")
            return self._known[member]


def _manifest(config: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """An image manifest (OCI image specification, manifest.md). The same input always gives the same bytes."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode())
