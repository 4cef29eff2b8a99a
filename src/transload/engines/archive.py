"""One image as a tar that every engine loads: an OCI layout, with docker's `manifest.json` beside it.

Blobs come first, each verified while it is sent, and what gives the image its names comes last. So an engine that gets
only a part of it has no image with a name.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from transload.oci import Descriptor, Digest, Manifest, Reference, Verifier, mediatype
from transload.oci.imagelayout import INDEX, MARKER, VERSION, blob_path
from transload.oci.refname import CONTAINERD_NAME, REF_NAME
from transload.ports import Chunk
from transload.values import frozen

OpenBlob = Callable[[Descriptor], AbstractContextManager[Iterator[Chunk]]]

_SAVED = "manifest.json"
_BLOCK = tarfile.BLOCKSIZE
_CONFIGS = frozenset({mediatype.OCI_CONFIG, mediatype.DOCKER_CONFIG})


@frozen(kw_only=True)
class EngineImage:
    """What an engine gets under `name`: the images of `images`, below `root`, which may be one of them.

    `manifests` are those that are sent: `root`, `images`, and the indexes between them.
    """

    name: Reference
    root: Manifest
    images: tuple[Manifest, ...]
    manifests: tuple[Manifest, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Configs and layers, each once, in the order in which they are sent."""
        by_digest = {blob.digest: blob for image in self.images for blob in image.blobs if not blob.is_foreign}
        return tuple(by_digest.values())

    @property
    def digests(self) -> frozenset[Digest]:
        """Everything that is sent: manifests, configs and layers."""
        return frozenset({*(blob.digest for blob in self.blobs), *(manifest.digest for manifest in self.manifests)})

    @property
    def known_as(self) -> frozenset[str]:
        """What an engine may call the image: by its config (docker, podman), by a manifest (containerd)."""
        configs = {image.config.digest for image in self.images if image.config}
        return frozenset({self.root.digest, *(image.digest for image in self.images), *configs})


def is_image(manifest: Manifest) -> bool:
    """Whether an engine can hold it: an artifact has another config, or no layers."""
    return manifest.config is not None and manifest.config.media_type in _CONFIGS and bool(manifest.layers)


def held_layers(image: Manifest, loaded: Iterable[Manifest]) -> frozenset[Digest]:
    """The layers that an engine has of this image, since it loaded those other images.

    Docker knows a layer by all layers below it, so the lowest layers must be the same, in their order.
    """
    held: set[Digest] = set()
    for other in loaded:
        for mine, theirs in zip(image.layers, other.layers, strict=False):
            if mine.digest != theirs.digest:
                break
            held.add(mine.digest)
    return frozenset(held)


def archive_of(image: EngineImage, open_blob: OpenBlob, held: Container[Digest] = ()) -> Iterator[Chunk]:
    """The bytes of the tar, without the blobs that the engine has already.

    Raises what `open_blob` raises, `DigestMismatch` and `SizeMismatch`, before the names are sent.
    """
    for blob in image.blobs:
        if blob.digest not in held:
            yield _header(blob_path(blob.digest), blob.size)
            yield from _verified(blob, open_blob)
            yield bytes(-blob.size % _BLOCK)
    for manifest in image.manifests:
        yield from _member(blob_path(manifest.digest), manifest.raw)
    yield from _member(MARKER, _json({"imageLayoutVersion": VERSION}))
    yield from _member(INDEX, _json(_index(image)))
    if image.name.name.tag:
        yield from _member(_SAVED, _json(_saved(image)))
    yield bytes(2 * _BLOCK)


def _verified(blob: Descriptor, open_blob: OpenBlob) -> Iterator[Chunk]:
    verifier = Verifier(blob.digest, blob.size)
    with open_blob(blob) as chunks:
        for chunk in chunks:
            verifier.update(chunk)
            yield chunk
    verifier.check()


def _index(image: EngineImage) -> dict[str, Any]:
    name = image.name
    ref = {REF_NAME: name.name.tag} if name.name.tag else {}
    described = {
        "mediaType": image.root.media_type,
        "digest": image.root.digest,
        "size": len(image.root.raw),
        "annotations": {CONTAINERD_NAME: str(name), **ref},
    }
    return {"schemaVersion": 2, "mediaType": mediatype.OCI_INDEX, "manifests": [described]}


def _saved(image: EngineImage) -> list[dict[str, Any]]:
    """The `manifest.json` of `docker save` (docker's image/tarexport). It names one image only."""
    first = image.images[0]
    return [
        {
            "Config": blob_path(first.config.digest) if first.config else "",
            "RepoTags": [f"{image.name.registry}/{image.name.name.repository}:{image.name.name.tag}"],
            "Layers": [blob_path(layer.digest) for layer in first.layers],
        }
    ]


def _member(name: str, content: bytes) -> Iterator[bytes]:
    yield _header(name, len(content))
    yield content + bytes(-len(content) % _BLOCK)


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.PAX_FORMAT)


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
