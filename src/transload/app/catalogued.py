"""Which releases of catalogs a run copies, and their images: of one catalog, and of all that an image set uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.app.location import Location
from transload.app.published import ask_published
from transload.app.releases import find_releases, needed_tags, open_origin
from transload.catalog.difference import Published, discovered
from transload.errors import SelectionEmpty, UsageError, at_side
from transload.values import frozen
from transload.wording import hint

if TYPE_CHECKING:
    from transload.app.job import Job
    from transload.app.stores import Stores
    from transload.catalog.catalog import Catalog
    from transload.catalog.imageset import CatalogUse, ImageSet
    from transload.catalog.release import Release
    from transload.catalog.selected import Selected
    from transload.ports import Source
    from transload.threads import Cancellation


@frozen
class ChosenRelease:
    """A release of a catalog that this run copies, where it comes from, and the open store there.

    `images` are its images, with their names below the target's prefix.
    """

    catalog: Catalog
    release: Release
    origin: Location
    source: Source
    images: tuple[Selected, ...] = ()


def home_of(catalog: Catalog, job: Job) -> Location:
    """Where the catalog's vendor publishes, or where the job looks instead."""
    prefix = catalog.repository if job.source_repository is None else job.source_repository
    return Location("registry", job.source_registry or catalog.registry, prefix)


def images_of_catalog(
    catalog: Catalog, origin: Location, job: Job, stores: Stores, cancellation: Cancellation
) -> tuple[tuple[Selected, ...], tuple[ChosenRelease, ...]]:
    """The images of the releases that `job` wants from a catalog, read from `origin`, and these releases.

    Raises `UsageError`, `ReleaseUnknown`, `ImageUnknown`, `SelectionEmpty`, and the source's errors.
    """
    if catalog.is_set and job.target_tag and not job.tags_by_default:
        raise UsageError(
            f"--target-tag is for images that share a tag, and those of {catalog.name} have tags of their own",
            hint="leave it out, or write target: NAME:TAG beside an image",
        )
    source = open_origin(origin, stores)
    registry = origin.value if origin.kind == "registry" else None
    wanted: list[Selected] = []
    releases: list[ChosenRelease] = []
    for release in find_releases(catalog, job.tag, origin, source):
        ask = job.discover and not catalog.is_set
        taken = _as_published(catalog, release, origin, source, cancellation) if ask else release
        images = tuple(image for image in job.images if image in (*taken.images, *catalog.companions_of(taken)))
        if job.images and not images:
            catalog.check_images(job.images, [taken])
        selected = catalog.select(
            taken, registry=registry, repository=origin.prefix, images=images, target_tag=job.target_tag
        )
        wanted += selected
        releases.append(ChosenRelease(catalog, taken, origin, source, images=selected))
    return tuple(wanted), tuple(releases)


def _as_published(
    catalog: Catalog, release: Release, origin: Location, source: Source, cancellation: Cancellation
) -> Release:
    """The release with the images that the source has under its tag. Raises `SelectionEmpty` if there is none."""
    with at_side("source"):
        published = ask_published(source, origin.prefix, cancellation)
    release = discovered(release, origin.prefix, published)
    if not release.images:
        raise SelectionEmpty(
            f"{origin} publishes no image of {catalog.name} {release.tag}",
            subject=release.tag,
            side="source",
            hint=hint(release.tag, _tags_in(published), what="tags there are"),
        )
    return release


def _tags_in(published: Published) -> list[str]:
    return sorted({tag for tags in published.values() for tag in tags or ()}, reverse=True)


def images_of_set(image_set: ImageSet, stores: Stores) -> tuple[tuple[Selected, ...], tuple[ChosenRelease, ...]]:
    """The single images of a set and those of its catalogs, and the releases that these come from.

    Raises `ReleaseUnknown`, `ImageUnknown`, `TargetConflict`, and the sources' errors.
    """
    sources = [open_origin(origin_of(use), stores) for use in image_set.catalogs]
    tags: dict[str, list[str]] = {}
    for use, source in zip(image_set.catalogs, sources, strict=True):
        needed = needed_tags(use.catalog, use.releases, origin_of(use), source)
        if needed is not None:
            tags[str(use.anchor)] = needed
    images = image_set.select(tags)
    releases = tuple(
        ChosenRelease(use.catalog, release, origin_of(use), source, images=use.images_of(release))
        for use, source in zip(image_set.catalogs, sources, strict=True)
        for text in use.releases
        for release in use.catalog.releases_in(text, tags.get(str(use.anchor)))
    )
    return images, releases


def origin_of(use: CatalogUse) -> Location:
    """Where the images of a catalog come from that an image set uses."""
    prefix = use.catalog.repository if use.repository is None else use.repository
    return Location("registry", use.registry or use.catalog.registry, prefix)
