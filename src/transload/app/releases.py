"""Releases of a catalog at a source: the list, and which of them a tag or a range means."""

from __future__ import annotations

import contextlib

from transload.app.location import Location
from transload.app.stores import Stores
from transload.catalog.catalog import NEWEST, Catalog
from transload.catalog.release import Offer, Release
from transload.catalog.selected import join
from transload.errors import AccessError, NotFound, Refused, ReleaseUnknown, UsageError, at_side
from transload.events import Progressed
from transload.ports import Source


def open_origin(origin: Location, stores: Stores) -> Source:
    """The store in which a catalog's images are looked for. Errors name the source as their side."""
    with at_side("source"):
        return stores.source(origin)


def find_releases(catalog: Catalog, tag: str | None, origin: Location, source: Source) -> tuple[Release, ...]:
    """The releases that `tag` means (None: the newest at the source). Asks the source only if it has to.

    Raises `ReleaseUnknown`, `UsageError`, and what the source raises.
    """
    wanted = tag or NEWEST
    if wanted.split() != [wanted] and ".." not in wanted:
        raise UsageError(
            f"release {wanted!r} has a blank in it", hint=f"leave the blank out: {''.join(wanted.split())}"
        )
    if not depends_on_source(wanted):
        with contextlib.suppress(ReleaseUnknown):  # newer than this catalog, perhaps
            return catalog.releases_in(wanted)
    try:
        tags = source_tags(catalog, origin, source)
    except (AccessError, Refused):
        if depends_on_source(wanted) or ".." in wanted:
            raise
        return (catalog.assume(wanted),)  # the tags may not be listed, but this one can still be used
    return catalog.releases_in(wanted, tags)


def depends_on_source(wanted: str) -> bool:
    """Whether a release or range changes its meaning when a new release appears."""
    return NEWEST in wanted.split("..") or wanted.endswith("..")


def source_tags(catalog: Catalog, origin: Location, source: Source) -> list[str]:
    """Tags of the catalog's anchor image at the source. Raises `ReleaseUnknown` if the source has no such image."""
    repository = catalog.anchor_repository(origin.prefix)
    try:
        with at_side("source"):
            return list(source.tags(repository))
    except NotFound as error:
        raise ReleaseUnknown(
            f"{origin.locator} has no {repository}, whose tags say which releases of {catalog.name} there are",
            subject=repository,
            side="source",
            hint="check the source registry and repository",
        ) from error


def list_releases(catalog: Catalog, origin: Location, target: Location | None, stores: Stores) -> tuple[Offer, ...]:
    """The releases at `origin`, newest first. With `target`, each says whether its anchor image is there.

    Raises `ReleaseUnknown` if there is none.
    """
    stores.working(Progressed("selecting"))
    tags = source_tags(catalog, origin, open_origin(origin, stores))
    catalog.newest(tags)  # raises where there is none
    if target is None:
        return catalog.releases_at_source(tags)
    try:
        with at_side("target"):
            held = frozenset(stores.target(target).tags(join(target.prefix, catalog.anchor_image)))
    except NotFound:
        held = frozenset()
    return catalog.releases_at_source(tags, held)
