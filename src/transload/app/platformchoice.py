"""Which part of an image an engine gets: the one for a platform, or all that are carried."""

from __future__ import annotations

from transload.engines.archive import EngineImage, is_image
from transload.errors import NotFound, PlatformUnavailable
from transload.graph import Node, grow, walk
from transload.oci import Descriptor, Manifest, Platform, Reference
from transload.oci.mediatype import INDEXES
from transload.planning import Item
from transload.planning.configs import read_config
from transload.ports import Source
from transload.values import frozen

_UNKNOWN = "unknown"  # the system and architecture that builders state for attestations


@frozen(kw_only=True)
class Part:
    """Which part is wanted: for `platform`, or with `whole`, for every platform.

    `asked` says that people named the platform. With `with_index`, the engine keeps an index of several platforms.
    """

    platform: Platform
    asked: bool
    whole: bool
    with_index: bool


def engine_image(source: Source, item: Item, name: Reference, root: Manifest, part: Part) -> EngineImage | None:
    """What the engine gets of `root`; None if it is nothing that an engine can hold.

    Raises `PlatformUnavailable`, and what reading the manifests raises.
    """
    if not root.is_index:
        if not is_image(root):
            return None
        _check_platform(source, item, root, part)
        return EngineImage(name=name, root=root, images=(root,), manifests=(root,))
    node = _grown(source, item, root, part)
    manifests = tuple(below.manifest for below in walk(node))
    images = tuple(manifest for manifest in manifests if is_image(manifest))
    if not images:
        if any(_states(child) for child in root.manifests):
            raise _unavailable(name, root, part)
        return None
    if part.whole:
        return EngineImage(name=name, root=root, images=images, manifests=manifests)
    first = images[0]
    if not part.with_index:
        return EngineImage(name=name, root=first, images=(first,), manifests=(first,))
    indexes = tuple(manifest for manifest in manifests if manifest.is_index)
    return EngineImage(name=name, root=root, images=(first,), manifests=(first, *indexes))


def _grown(source: Source, item: Item, root: Manifest, part: Part) -> Node:
    def fits(child: Descriptor) -> bool:
        stated = child.platform
        return part.whole or child.media_type in INDEXES or stated is None or stated.satisfies(part.platform)

    try:
        return grow(root, lambda child: source.fetch(item.source.at(child.digest)), fits)
    except NotFound as error:
        if not part.whole:
            raise
        raise PlatformUnavailable(
            f"{item.source} is not carried for all of its platforms",
            subject=str(item.source),
            hint="leave --all-platforms out: the platform of this machine is enough to run it",
        ) from error


def _check_platform(source: Source, item: Item, image: Manifest, part: Part) -> None:
    """Raises `PlatformUnavailable` for an image of another platform: it would not run."""
    assert image.config is not None  # noqa: S101 - `is_image` has looked
    if part.whole:
        return
    stated = Platform.from_json(read_config(source, item.source.repository, image.config))
    if stated.os and not stated.satisfies(part.platform):
        raise PlatformUnavailable(
            f"{item.source} is for {stated}, not for {part.platform}",
            subject=str(item.source),
            hint=f"--platform {stated} loads it" + ("" if part.asked else " all the same"),
        )


def _unavailable(name: Reference, root: Manifest, part: Part) -> PlatformUnavailable:
    has = ", ".join(dict.fromkeys(str(child.platform) for child in root.manifests if _states(child)))
    return PlatformUnavailable(
        f"{name} has no image for {part.platform}", subject=str(name), hint=f"it has {has[:300]}"
    )


def _states(child: Descriptor) -> bool:
    return child.platform is not None and child.platform.os != _UNKNOWN and bool(child.platform.os)
