"""What a list says of an image: platforms, size, date. It is remembered by digest, whose content never changes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from transload.errors import DigestInvalid, NotFound
from transload.limits import PAGE_CONFIG_BYTES, PAGE_IMAGES_KNOWN
from transload.oci import Descriptor, Digest, Manifest, Name, Platform
from transload.ports import Source
from transload.server.page import kinds
from transload.server.page.config import settings_of
from transload.server.page.reading import NotShown, content_of
from transload.values import frozen

_CHILDREN = 20  # of an index that are read for its size
_PLATFORMS = 12  # that are named
_ATTESTATION = "vnd.docker.reference.type"
_OF = "vnd.docker.reference.digest"


@frozen(kw_only=True)
class Known:
    """An image in short. Sizes are what a pull moves for one platform; None if that is not known.

    `more` is how many platforms are not in `platforms`. `lacking` are children of an index that are not here.
    """

    kind: str
    platforms: tuple[str, ...] = ()
    more: int = 0
    least: int | None = None
    most: int | None = None
    created: str = ""
    lacking: int = 0


def attested(index: Manifest) -> dict[Digest, list[Descriptor]]:
    """The attestations that BuildKit puts into an index beside the images that they are about."""
    found: dict[Digest, list[Descriptor]] = {}
    for child in index.manifests:
        if is_attestation(child):
            found.setdefault(Digest(child.annotations[_OF]), []).append(child)
    return found


def _is_digest(text: str) -> bool:
    try:
        return bool(Digest(text))
    except DigestInvalid:
        return False


def is_attestation(child: Descriptor) -> bool:
    """Whether a child of an index is an attestation about another child."""
    return child.annotations.get(_ATTESTATION) == "attestation-manifest" and _is_digest(child.annotations.get(_OF, ""))


def size_of(manifest: Manifest) -> int:
    """What a pull moves: configuration and layers, each once."""
    return sum({blob.digest: blob.size for blob in manifest.blobs if not blob.is_foreign}.values())


def platform_of(platform: Platform | None) -> str:
    """A platform in words; empty if none is stated, or it is unknown."""
    text = str(platform)[:80] if platform else ""
    return "" if text in {"", "unknown/unknown"} else text


class Images:
    """What is known of the images of a store, at most `PAGE_IMAGES_KNOWN` of them. Safe for threads."""

    def __init__(self, store: Source) -> None:
        self._store = store
        self._known: dict[Digest, Known] = {}
        self._lock = threading.Lock()

    def known(self, name: Name, digest: Digest) -> Known:
        """The image with this digest, which `name` stands for. Raises what reading it raises."""
        with self._lock:
            known = self._known.get(digest)
        if known is None:
            known = self._read(name)
            if not known.lacking:  # what is absent may come
                with self._lock:
                    self._known[digest] = known
                    while len(self._known) > PAGE_IMAGES_KNOWN:
                        self._known.pop(next(iter(self._known)))
        return known

    def _read(self, name: Name) -> Known:
        manifest = self._store.fetch(name)
        if not manifest.is_index:
            return self._single(name, manifest, None)
        children = [child for child in manifest.manifests if not is_attestation(child)]
        read = list(self._children(name, children[:_CHILDREN]))
        found = [known for known in read if known is not None]
        platforms = list(dict.fromkeys(filter(None, (platform_of(child.platform) for child in children))))
        sizes = [size for known in found for size in (known.least, known.most) if size is not None]
        return Known(
            kind="image",
            platforms=tuple(platforms[:_PLATFORMS]),
            more=max(0, len(platforms) - _PLATFORMS),
            least=min(sizes, default=None),
            most=max(sizes, default=None),
            created=next((known.created for known in found if known.created), ""),
            lacking=len(read) - len(found),
        )

    def _children(self, name: Name, children: list[Descriptor]) -> Iterator[Known | None]:
        for child in children:
            try:
                manifest = self._store.fetch(name.at(child.digest))
            except NotFound:
                yield None
            else:
                yield None if manifest.is_index else self._single(name, manifest, child.platform)

    def _single(self, name: Name, manifest: Manifest, stated: Platform | None) -> Known:
        size = size_of(manifest)
        kind = kinds.of_manifest(manifest)
        if kind != "image" or manifest.config is None:
            word = kinds.in_words(manifest.artifact_type, manifest.annotations) or "artifact"
            return Known(kind="chart" if kind == "chart" else word, least=size, most=size)
        platform, created = platform_of(stated), ""
        try:
            raw = content_of(self._store, name.repository, manifest.config, PAGE_CONFIG_BYTES)
            settings = settings_of(raw, manifest.layers)
            platform, created = platform or settings.platform, settings.created
        except (NotShown, NotFound):
            pass  # the page of the image says what is wrong with it
        return Known(kind="image", platforms=(platform,) if platform else (), least=size, most=size, created=created)
