"""Releases of a catalog at a source: which of them a tag or a range means, and which tags the source has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from transload.catalog.catalog import Catalog
from transload.catalog.words import NEWEST
from transload.errors import AccessError, NotFound, Refused, ReleaseUnknown, UsageError, at_side

if TYPE_CHECKING:
    from transload.app.location import Location
    from transload.app.stores import Stores
    from transload.catalog.release import Release
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
    check_words(wanted)
    try:
        tags = needed_tags(catalog, [wanted], origin, source)
    except (AccessError, Refused):
        if depends_on_source(wanted) or ".." in wanted:
            raise
        return (catalog.assume(wanted),)  # the tags may not be listed, but this one can still be used
    return catalog.releases_in(wanted, tags)


def needed_tags(catalog: Catalog, texts: Iterable[str], origin: Location, source: Source) -> list[str] | None:
    """The source's tags, if they can change what these releases and ranges mean; else None, without a request.

    In a range, too, may be a release that is newer than this catalog. If the catalog knows both ends, it is no error
    that the source cannot be asked. An image set lists all its releases. Raises as `source_tags`.
    """
    if catalog.is_set:
        return None
    texts = list(texts)
    known = not any(map(depends_on_source, texts)) and _are_known(catalog, texts)
    if known and not any(".." in text for text in texts):
        return None
    try:
        return source_tags(catalog, origin, source)
    except (AccessError, Refused, ReleaseUnknown):
        if known:
            return None
        raise


def _are_known(catalog: Catalog, texts: Iterable[str]) -> bool:
    try:
        return all(catalog.releases_in(text) for text in texts)
    except ReleaseUnknown:
        return False


def check_words(text: str) -> None:
    """Check what people write for a release or a range. Raises `UsageError` for nothing, and for a blank in it."""
    if not text:
        raise UsageError("the release is empty", hint="write a tag, its beginning, or a range FROM..TO")
    if text[0] in "<>=~^!":
        raise UsageError(f"{text[:140]!r} is not a release", hint="a range of releases is written FROM..TO: 1.40..1.46")
    if text.split() != [text] and ".." not in text:
        joined = "".join(text.split())
        raise UsageError(
            f"release {text!r} has a blank in it", hint=f"leave the blank out: {joined}; a range is written FROM..TO"
        )


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
