"""A catalog's releases as source and target have them."""

from __future__ import annotations

from transload.app.location import Location
from transload.app.selection import source_tags
from transload.app.stores import Stores
from transload.catalog.catalog import Catalog
from transload.catalog.release import Offer
from transload.catalog.selection import join
from transload.errors import NotFound, at_side
from transload.events import Progressed


def list_releases(catalog: Catalog, origin: Location, target: Location | None, stores: Stores) -> tuple[Offer, ...]:
    """The releases at `origin`, newest first; with `target`, each with whether its anchor image is there.

    Raises `ReleaseUnknown` if there is none.
    """
    stores.working(Progressed("selecting"))
    tags = source_tags(catalog, origin, stores)
    catalog.newest(tags)  # which says that there is none
    if target is None:
        return catalog.releases_at_source(tags)
    try:
        with at_side("target"):
            held = frozenset(stores.target(target).tags(join(target.prefix, catalog.anchor_image)))
    except NotFound:
        held = frozenset()
    return catalog.releases_at_source(tags, held)
