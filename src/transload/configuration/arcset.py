"""The images of Azure Arc-enabled data services as their controller finds them: one registry, one prefix, one tag.

A data controller makes each reference of `spec.docker.registry`, `.repository` and `.imageTag`, and the fixed name of
the image (deploy/yaml/data-controller.yaml in microsoft/azure_arc). What az takes for a version, and from which one on:
azext_arcdata in Azure/azure-cli-extensions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from transload.catalog.builtin import load_builtin
from transload.catalog.catalog import Catalog
from transload.catalog.release import Release
from transload.configuration.relocation import MovedImage
from transload.errors import SelectionEmpty, UsageError
from transload.oci import Name, Reference
from transload.values import evolve, frozen

ANCHOR = "arc-controller"
_TAG = re.compile(r"v([0-9]+)\.([0-9]+)\.([0-9]+)_.+")
_OLDEST = (1, 9, 0)
_FIRST = ((1, 1), (1, 4), (1, 5), (1, 6))  # the first release of v2, v3, v4, v5 of the API
_API = re.compile(r"arcdata\.microsoft\.com/v([0-9]+)((?:alpha|beta)[0-9]+)?")
_SHOWN = 5

Version = tuple[int, int, int]


@frozen(kw_only=True)
class ArcSet:
    """The newest release at the registry. `missing` are images of its list that are not there, `others` older tags.

    `between` are releases that lie between those at the registry, and are not there themselves. `is_known` says whether
    the built-in catalog has the release. `published` are the same images by the names that the vendor's files have,
    from whatever registry they were copied.
    """

    registry: str
    repository: str
    tag: str
    images: tuple[MovedImage, ...]
    missing: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    is_known: bool = True
    published: tuple[MovedImage, ...] = ()

    @property
    def is_too_old(self) -> bool:
        """Whether az refuses to create a controller of this version."""
        return version_of(self.tag) < _OLDEST

    @property
    def api(self) -> str:
        """The version of the API with which az takes this release; the newest that is known, for newer ones."""
        number = 1 + sum(first <= version_of(self.tag)[:2] for first in _FIRST)
        return f"arcdata.microsoft.com/v{number}"

    def is_refused_with(self, api: str) -> bool:
        """Whether az refuses this release for an `apiVersion`. Those that are newer than all known here pass."""
        match = _API.fullmatch(api)
        return match is not None and api != self.api and (bool(match[2]) or int(match[1]) <= len(_FIRST) + 1)

    def reference(self, name: str) -> str:
        """What the controller asks for."""
        return f"{self.registry}/{self.repository}/{name}:{self.tag}"


def version_of(tag: str) -> Version:
    """The version in a tag. Raises `UsageError` if it has not the shape that az reads."""
    match = _TAG.fullmatch(tag)
    if match is None:
        raise UsageError(
            f"the tag {tag!r} is none that az reads as a version",
            subject=tag,
            hint="it must look like v1.46.0_2026-05-12: keep the vendor's tag, or change what follows the underscore",
        )
    return int(match[1]), int(match[2]), int(match[3])


def arc_set(images: Iterable[MovedImage]) -> ArcSet:
    """The newest release among these images; those of other products are left out.

    Raises `SelectionEmpty` if there is none, `UsageError` for images that no controller would find.
    """
    catalog = load_builtin("arcdata")
    names = {name for release in catalog.releases for name in release.images}
    moved = [image for image in images if _name(image.source.name.repository) in names]
    if not moved:
        raise SelectionEmpty("no image of Azure Arc data services is among the images", hint="name the run of arcdata")
    registry, repository = _one_place(moved)
    tags = _releases(moved)
    newest = max(tags, key=version_of)
    images_of = tuple(image for image in moved if image.target.name.tag == newest)
    release = _known(catalog, newest)
    here = {_name(image.target.name.repository) for image in images_of}
    return ArcSet(
        registry=registry,
        repository=repository,
        tag=newest,
        images=images_of,
        missing=tuple(sorted(set(release.images) - here)) if release else (),
        others=tuple(sorted(set(tags) - {newest}, key=version_of)),
        between=_between(catalog, tags),
        is_known=release is not None,
        published=tuple(_published(catalog, image, release.tag if release else newest) for image in images_of),
    )


def _published(catalog: Catalog, image: MovedImage, tag: str) -> MovedImage:
    name = Name(f"{catalog.repository}/{_name(image.source.name.repository)}", tag)
    return evolve(image, source=Reference(catalog.registry, name))


def _name(repository: str) -> str:
    return repository.rpartition("/")[2]


def _one_place(moved: Sequence[MovedImage]) -> tuple[str, str]:
    """The registry and the prefix of all images. Raises `UsageError`."""
    places: dict[tuple[str, str], str] = {}
    for image in moved:
        prefix, _, name = image.target.name.repository.rpartition("/")
        if name != _name(image.source.name.repository):
            raise UsageError(
                f"{_name(image.source.name.repository)} is called {name} at the registry, and its name is fixed",
                subject=str(image.target),
                hint="mirror it under its own name",
            )
        places.setdefault((image.target.registry, prefix), name)
    if len(places) > 1:
        shown = ", ".join(f"{name} in {'/'.join(place)}" for place, name in sorted(places.items())[:_SHOWN])
        raise UsageError(
            f"the images have several prefixes, and a data controller knows one: {shown}",
            hint="mirror the release under one prefix",
        )
    registry, prefix = next(iter(places))
    if not prefix:
        raise UsageError(
            f"the images have no prefix at {registry}, and spec.docker.repository cannot be empty",
            subject=registry,
            hint=f"mirror to a prefix, such as {registry}/arcdata",
        )
    return registry, prefix


def _releases(moved: Sequence[MovedImage]) -> set[str]:
    """The tags of the releases. Raises `UsageError` for images that have other tags than the controller."""
    by_tag: dict[str, set[str]] = defaultdict(set)
    for image in moved:
        by_tag[image.target.name.tag or ""].add(_name(image.target.name.repository))
    if "" in by_tag:
        raise UsageError(
            f"{min(by_tag[''])} has no tag at the registry, and a data controller asks for tags",
            hint="mirror the release under its tags",
        )
    tags = {tag for tag, names in by_tag.items() if ANCHOR in names} or {min(by_tag)}
    for tag in sorted(tags):
        version_of(tag)
    if strays := sorted(by_tag.keys() - tags):
        tag = strays[0]
        raise UsageError(
            f"the images have several tags, and a data controller knows one: {min(by_tag[tag])} has {tag}",
            subject=tag,
            hint="mirror the release under one tag",
        )
    return tags


def _known(catalog: Catalog, tag: str) -> Release | None:
    """The release of this version, whatever its label. Raises `UsageError` for a version that was never published.

    One that is newer than all that are known here may have been published since.
    """
    version = version_of(tag)
    versions = {version_of(release.tag): release for release in catalog.releases if _TAG.fullmatch(release.tag)}
    if version not in versions and version < max(versions):
        newest = max(versions)
        raise UsageError(
            f"there is no release {tag.partition('_')[0]} of Azure Arc data services, so az refuses the tag",
            subject=tag,
            hint=f"see `transload releases arcdata`; the newest known here is v{'.'.join(map(str, newest))}",
        )
    return versions.get(version)


def _between(catalog: Catalog, tags: Iterable[str]) -> tuple[str, ...]:
    """The releases of minor versions that lie between those of the tags, and are not there."""
    here = {version_of(tag)[:2] for tag in tags}
    known = {version_of(release.tag)[:2]: release.tag for release in catalog.releases if _TAG.fullmatch(release.tag)}
    return tuple(known[minor] for minor in sorted(known) if min(here) < minor < max(here) and minor not in here)
