"""What `docker save` wrote before version 25, and podman and skopeo still do: configs and layers, but no manifests.

A manifest is made for each image from its config and its layers as they lie there: the same for the same archive, but
never the one that was published, since layers were compressed then and are not now. Its types are OCI's, which have a
layer that is not compressed; Docker's own have none, and Quay refuses what claims to be one. Hashing the layers, which
that takes, is done when an image is first asked for, each member once, and proves them against the config's `diff_ids`.
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
    """Names and content of the `saved` images in `members`; safe to ask from several threads."""

    refers: None = None
    notes = (NOTE,)

    def __init__(self, members: Members, saved: Sequence[SavedImage]) -> None:
        self._members = members
        self._saved = saved
        self._hashes = _Hashes(members)
        self._layers: dict[Member, Descriptor] = {}
        self._made: dict[SavedImage, Descriptor] = {}  # the bytes are among the places, once for images that are alike
        self._places: dict[Digest, Member | bytes] = {}

    @property
    def has_images(self) -> bool:
        """Whether there is any."""
        return bool(self._saved)

    @cached_property
    def names(self) -> Mapping[Name, SavedImage]:
        """Every name and the image it stands for, in order; the first one wins where a name is given twice."""
        found: dict[Name, SavedImage] = {}
        for image in self._saved:
            for name in image.names:
                found.setdefault(name, image)
        return found

    def untagged(self) -> Iterator[Name]:
        """See `transload.ports.Lists`: what `docker save` was given by its identifier."""
        return (Name("", None, self._made_of(image).digest) for image in self._saved if not image.names)

    def described(self, name: Name) -> Descriptor:
        """What a listed name stands for; its layers are hashed for that. Raises `KeyError`, `CorruptError`."""
        return self._made_of(self.names[name])

    def media_type(self, digest: Digest) -> None:  # noqa: ARG002 - the manifests say it themselves
        """Manifests made here state their own."""
        return

    def find(self, digest: Digest) -> Member | bytes | None:
        """Where this content is. What is not known yet may be in any image, so all of them are looked at, once."""
        for image in self._saved:
            if digest in self._places:
                break
            with suppress(CorruptError, BlobUnknown):  # a damaged image does not stand in the way of the others
                self._made_of(image)
        return self._places.get(digest)

    def _made_of(self, image: SavedImage) -> Descriptor:
        if image not in self._made:
            config = self._config(image)
            layers = [self._layer(member) for member in map(self._member, image.layers)]
            self._prove(image, layers)
            manifest = _manifest(config, layers)
            self._places.setdefault(manifest.digest, manifest.raw)
            self._made[image] = manifest.descriptor
        return self._made[image]

    def _config(self, image: SavedImage) -> Descriptor:
        member = self._member(image.config)
        if member.size > CONFIG_BYTES:
            raise LimitExceeded(f"config {member.name} has {member.size} bytes", subject=member.name)
        digest = self._hashes.of(member)
        if image.config_digest not in {None, digest}:
            raise DigestMismatch(f"config {image.config} in {self._members.path} is damaged", subject=image.config)
        self._places[digest] = member
        return Descriptor(OCI_CONFIG, digest, member.size)

    def _layer(self, member: Member) -> Descriptor:
        """Looked at once, however many images have it."""
        if member not in self._layers:
            begin = self._members.read(member, 4)
            media_type = next((kind for magic, kind in _MAGIC.items() if begin.startswith(magic)), OCI_LAYER)
            digest = self._hashes.of(member)
            self._places[digest] = member
            self._layers[member] = Descriptor(media_type, digest, member.size)
        return self._layers[member]

    def _prove(self, image: SavedImage, layers: Sequence[Descriptor]) -> None:
        """An uncompressed layer is what the config calls it; of compressed ones only their number is told."""
        raw = self._members.read(self._member(image.config), CONFIG_BYTES)
        for place, (wanted, layer) in enumerate(zip_longest(diff_ids(raw, image.config), layers)):
            if wanted is None or layer is None:
                raise ManifestInvalid(
                    f"config {image.config} does not list as many layers as the archive", subject=image.config
                )
            if layer.media_type == OCI_LAYER and wanted.algorithm == "sha256" and layer.digest != wanted:
                raise DigestMismatch(
                    f"layer {image.layers[place]} in {self._members.path} is damaged: "
                    f"expected {wanted}, found {layer.digest}",
                    subject=image.layers[place],
                )

    def _member(self, name: str) -> Member:
        member = self._members.find(name)
        if member is None:
            raise BlobUnknown(f"{self._members.path} has no member {name!r}, which an image needs", subject=name)
        return member


class _Hashes:
    """Digests of members, each computed once, whichever thread comes first."""

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
    """An image manifest (OCI image specification, manifest.md); its bytes never change here."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.to_json(),
        "layers": [layer.to_json() for layer in layers],
    }
    return Manifest.parse(json.dumps(document, separators=(",", ":")).encode())
