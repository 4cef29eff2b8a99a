"""One image, as its page shows it: platforms, layers, history, labels, and what belongs to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from transload.errors import TransloadError
from transload.limits import PAGE_CONFIG_BYTES, PAGE_ROWS
from transload.oci import Descriptor, Digest, Manifest, Name
from transload.oci.cosign import subject_of
from transload.ports import Source
from transload.server.backend import Backend
from transload.server.page import kinds
from transload.server.page.config import Settings, settings_of
from transload.server.page.known import Images, Known, attested, is_attestation, platform_of
from transload.server.page.reading import NotShown, content_of
from transload.server.page.referred import Belonging, Look, Piece, belonging, pieces_of
from transload.server.page.trouble import said
from transload.values import frozen

_READ = 100  # referrers, or children of an index, that are read for one page …
_READ_AFAR = 20  # … and of a registry behind this one, for each of which it is asked


@frozen(kw_only=True)
class Child:
    """A platform of an index. `known` is None for one that is not here, or cannot be read: `trouble` says which."""

    platform: str
    name: Name
    size: int
    known: Known | None = None
    trouble: str = ""
    parts: int = 0


@frozen(kw_only=True)
class Image:
    """All that a page shows of one manifest. Each list is bounded; the `_count` beside it counts all.

    `config` is None for an index or an artifact, or if `config_trouble` says why it is not shown.
    """

    name: Name
    digest: Digest
    media_type: str
    kind: str
    what: str
    is_index: bool
    size: int
    total: int = 0
    children: tuple[Child, ...] = ()
    children_count: int = 0
    layers: tuple[Descriptor, ...] = ()
    layers_count: int = 0
    pieces: tuple[Piece, ...] = ()
    config: Settings | None = None
    config_digest: Digest | None = None
    config_trouble: str = ""
    annotations: tuple[tuple[str, str], ...] = ()
    annotations_count: int = 0
    subject: Name | None = None
    belonging: Belonging


def image_of(backend: Backend, images: Images, name: Name, look: Look) -> Image:
    """Read what a page shows. Raises what `fetch` raises; what is wrong with a part is said at that part."""
    store = backend.store
    manifest = store.fetch(name)
    backend.learn(manifest)
    most = _READ if store.request_costs is None else _READ_AFAR
    kind = kinds.of_manifest(manifest)
    beside = attested(manifest) if manifest.is_index else {}
    config, trouble = _config(store, name, manifest, kind)
    shown = sorted(manifest.annotations.items())[:PAGE_ROWS]
    children = [child for child in manifest.manifests if not is_attestation(child)]
    full = Name(name.repository, name.tag, manifest.digest)
    return Image(
        name=full,
        digest=manifest.digest,
        media_type=manifest.media_type,
        kind=kind,
        what=kinds.in_words(manifest.artifact_type, manifest.annotations),
        is_index=manifest.is_index,
        size=len(manifest.raw),
        total=sum({layer.digest: layer.size for layer in manifest.blobs}.values()),
        children=tuple(_children(images, full, children[:most], beside, locator=store.locator)),
        children_count=len(children),
        layers=manifest.layers[:PAGE_ROWS],
        layers_count=len(manifest.layers),
        pieces=() if manifest.is_index or kind == "image" else pieces_of(manifest, PAGE_ROWS),
        config=config,
        config_digest=manifest.config.digest if manifest.config else None,
        config_trouble=trouble,
        annotations=tuple(shown),
        annotations_count=len(manifest.annotations),
        subject=_subject(manifest, name),
        belonging=belonging(
            store,
            backend.refers,
            name,
            manifest.digest,
            inside=tuple(each for one in beside.values() for each in one),
            most=most,
            look=look,
        ),
    )


def _config(store: Source, name: Name, manifest: Manifest, kind: str) -> tuple[Settings | None, str]:
    """The settings of an image, or why they are not shown."""
    if manifest.config is None or kind != "image":
        return None, ""
    try:
        raw = content_of(store, name.repository, manifest.config, PAGE_CONFIG_BYTES)
        return settings_of(raw, manifest.layers), ""
    except (NotShown, TransloadError) as error:
        return None, said(error, store.locator)


def _children(
    images: Images,
    name: Name,
    children: Iterable[Descriptor],
    beside: Mapping[Digest, list[Descriptor]],
    *,
    locator: str,
) -> Iterable[Child]:
    for child in children:
        own = name.at(child.digest)
        known, trouble = None, ""
        try:
            known = images.known(own, child.digest)
        except TransloadError as error:
            trouble = said(error, locator)
        platform = platform_of(child.platform) or (known.platforms[0] if known and known.platforms else "")
        yield Child(
            platform=platform,
            name=own,
            size=child.size,
            known=known,
            trouble=trouble,
            parts=len(beside.get(child.digest, ())),
        )


def _subject(manifest: Manifest, name: Name) -> Name | None:
    """The image that this belongs to, by its `subject` or by a tag of cosign."""
    if manifest.subject is not None:
        return name.at(manifest.subject.digest)
    digest = subject_of(name.tag)
    return name.at(digest) if digest else None
