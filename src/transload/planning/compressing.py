"""A view of a store with all layers compressed, for registries that take no others.

`docker save`, podman and skopeo leave layers uncompressed in archives; Quay, as many set it up, refuses those. New
manifests in OCI form describe the compressed layers. Configs stay as they are, since they name layers by their
uncompressed digests.

Invariants:
1. the same content gives the same bytes, as long as it is the same zlib: no time, no name, one level;
2. nothing is written to disk: a layer is compressed once to learn its digest, and once more when it is sent;
3. a layer is compressed only if it has the digest that its manifest says;
4. an attestation of an image that got a new digest is left out, since the digest in it is no longer right.
"""

from __future__ import annotations

import hashlib
import json
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from transload.errors import LimitExceeded, ManifestUnknown
from transload.limits import INDEX_DEPTH
from transload.oci import Descriptor, Digest, Manifest, Name, Verifier
from transload.oci.mediatype import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LAYER_GZIP,
    OCI_CONFIG,
    OCI_LAYER_GZIP,
    OCI_LAYER_ZSTD,
    OCI_MANIFEST,
    UNCOMPRESSED_LAYERS,
)
from transload.planning.narrowing import held_children, rewritten
from transload.ports import Chunk, Refers, RequestCosts, Source, Sparse
from transload.threads import Cancellation, in_parallel

_IN_OCI_FORM = {
    DOCKER_CONFIG: OCI_CONFIG,
    DOCKER_LAYER_GZIP: OCI_LAYER_GZIP,
    f"{DOCKER_LAYER}.zstd": OCI_LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": (
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
    ),
}
_LAYERS = UNCOMPRESSED_LAYERS | {OCI_LAYER_GZIP, DOCKER_LAYER_GZIP}
_MAGIC = b"\x1f\x8b"  # of gzip (RFC 1952)
_LEVEL = 6
_GZIP = 31  # zlib's `wbits` for a gzip header without time and name, with the largest window
_THREADS = 4


class CompressedStore:
    """`source` with the layers of every image compressed. Images that change have new digests."""

    def __init__(self, source: Source, cancellation: Cancellation) -> None:
        self._source = source
        self._cancellation = cancellation
        self._lock = threading.Lock()
        self._turns: dict[Digest, threading.Lock] = {}
        self._now: dict[Digest, Manifest] = {}
        self._made: dict[Digest, Manifest] = {}
        self._layers: dict[Digest, Descriptor] = {}
        self._originals: dict[Digest, Descriptor] = {}
        self._left_out: set[Digest] = set()
        self._before: dict[Digest, Descriptor] = {}
        self.keeps_parts: bool = getattr(source, "keeps_parts", False)
        self.sparse: Sparse | None = getattr(source, "sparse", None)

    @property
    def layers(self) -> int:
        """How many layers have been compressed."""
        return len(self._layers)

    @property
    def left_out(self) -> int:
        """How many attestations have been left out, since they belong to the images as they were."""
        return len(self._left_out)

    def before(self, descriptor: Descriptor) -> Descriptor:
        """The manifest that was published, of one that may have been made here: signatures are of the published one."""
        return self._before.get(descriptor.digest, descriptor)

    @property
    def locator(self) -> str:
        """The source's own."""
        return self._source.locator

    @property
    def refers(self) -> Refers | None:
        """The source's own: referrers of images that stay as they are."""
        return self._source.refers

    @property
    def request_costs(self) -> RequestCosts | None:
        """The source's own."""
        return self._source.request_costs

    # --- Resolves

    def resolve(self, name: Name) -> Descriptor:
        """See `Resolves`; it compresses layers to learn the digest."""
        return self.fetch(name).descriptor

    def fetch(self, name: Name) -> Manifest:
        """See `Resolves`."""
        if name.digest in self._made:
            return self._made[name.digest]
        return self._converted(name, self._source.fetch(name), 0)

    def tags(self, repository: str) -> Iterator[str]:
        """See `Resolves`."""
        return self._source.tags(repository)

    def repositories(self) -> Iterator[str]:
        """See `Resolves`."""
        return self._source.repositories()

    # --- Reads

    def exists(self, repository: str, descriptor: Descriptor) -> bool:
        """See `Reads`."""
        return descriptor.digest in self._made or self._source.exists(
            repository, self._originals.get(descriptor.digest, descriptor)
        )

    @contextmanager
    def open(
        self, repository: str, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> Iterator[Iterator[Chunk]]:
        """See `Reads`; the bytes before `offset` are compressed and dropped."""
        original = self._originals.get(descriptor.digest)
        if original is None:
            with self._source.open(repository, descriptor, offset, length) as chunks:
                yield chunks
            return
        with self._source.open(repository, original) as chunks:
            end = descriptor.size if length is None else offset + length
            yield _between(gzipped(chunks), offset, end)

    # --- making new manifests

    def _converted(self, name: Name, manifest: Manifest, depth: int) -> Manifest:
        with self._lock:
            turn = self._turns.setdefault(manifest.digest, threading.Lock())
        with turn:
            if manifest.digest not in self._now:
                made = self._index(name, manifest, depth) if manifest.is_index else self._image(name, manifest)
                if made.digest != manifest.digest:
                    self._made[made.digest] = made
                    self._before[made.digest] = manifest.descriptor
                self._now[manifest.digest] = made
            return self._now[manifest.digest]

    def _image(self, name: Name, manifest: Manifest) -> Manifest:
        is_image = manifest.config is not None and manifest.config.media_type in {OCI_CONFIG, DOCKER_CONFIG}
        layers = {layer.digest: layer for layer in manifest.layers if layer.media_type in _LAYERS}
        if not is_image or not all(self._source.exists(name.repository, layer) for layer in layers.values()):
            return manifest  # an image that lacks a layer stays as it is; the check of local sources reports it
        plain = [layer for layer in layers.values() if self._is_plain(name.repository, layer)]
        if not plain:
            return manifest
        in_parallel(lambda layer: self._compress(name.repository, layer), plain, _THREADS, self._cancellation)
        document = manifest.document | {
            "mediaType": OCI_MANIFEST,
            "config": self._entry(manifest.document["config"]),
            "layers": [self._entry(entry) for entry in manifest.document["layers"]],
        }
        return Manifest.parse(json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode(), OCI_MANIFEST)

    def _is_plain(self, repository: str, layer: Descriptor) -> bool:
        """Whether it is uncompressed, whatever its type says: `podman save --uncompressed` calls its layers gzip."""
        if layer.media_type in UNCOMPRESSED_LAYERS or layer.size < len(_MAGIC):
            return True
        with self._source.open(repository, layer, 0, len(_MAGIC)) as chunks:
            return b"".join(bytes(chunk) for chunk in chunks) != _MAGIC

    def _entry(self, entry: dict[str, Any]) -> dict[str, Any]:
        known = self._layers.get(Digest(entry["digest"]))
        if known is None:
            return entry | {"mediaType": _IN_OCI_FORM.get(entry["mediaType"], entry["mediaType"])}
        return entry | {"mediaType": known.media_type, "digest": str(known.digest), "size": known.size}

    def _index(self, name: Name, index: Manifest, depth: int) -> Manifest:
        if depth > INDEX_DEPTH:
            raise LimitExceeded(f"indexes are nested deeper than {INDEX_DEPTH}", subject=index.digest)
        now = {child.digest: self._child(name.at(child.digest), child, depth + 1) for child in index.manifests}
        held = held_children(index, lambda child: now[child.digest].digest == child.digest)
        children = {
            digest: descriptor for digest, descriptor in now.items() if descriptor.digest != digest or digest in held
        }
        self._left_out |= {digest for digest in now if digest not in children and digest in self._now}
        return rewritten(index, children)

    def _child(self, name: Name, child: Descriptor, depth: int) -> Descriptor:
        """The child's new descriptor; a child that is missing keeps the one from the index."""
        try:
            return self._converted(name, self._source.fetch(name), depth).descriptor
        except ManifestUnknown:
            return child

    def _compress(self, repository: str, layer: Descriptor) -> None:
        with self._lock:
            turn = self._turns.setdefault(layer.digest, threading.Lock())
        with turn:
            if layer.digest in self._layers:
                return
            verifier, running, size = Verifier(layer.digest, layer.size), hashlib.sha256(usedforsecurity=False), 0
            with self._source.open(repository, layer) as chunks:
                for piece in gzipped(self._watched(chunks, verifier)):
                    running.update(piece)
                    size += len(piece)
            verifier.check()
            made = Descriptor(OCI_LAYER_GZIP, Digest(f"sha256:{running.hexdigest()}"), size)
            self._originals[made.digest] = layer
            self._layers[layer.digest] = made

    def _watched(self, chunks: Iterable[Chunk], verifier: Verifier) -> Iterator[Chunk]:
        for chunk in chunks:
            self._cancellation.check()
            verifier.update(chunk)
            yield chunk


def gzipped(chunks: Iterable[Chunk]) -> Iterator[bytes]:
    """The bytes of `chunks` as one gzip member (RFC 1952) without time and name."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for chunk in chunks:
        if piece := packer.compress(chunk):
            yield piece
    yield packer.flush()


def _between(chunks: Iterable[bytes], start: int, end: int) -> Iterator[bytes]:
    """The bytes of `chunks` from position `start` up to, but not including, `end`."""
    position = 0
    for chunk in chunks:
        piece = chunk[max(0, start - position) : max(0, end - position)]
        position += len(chunk)
        if piece:
            yield piece
