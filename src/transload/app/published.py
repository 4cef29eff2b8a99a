"""What the source really publishes for a catalog's release: repositories under the prefix and their tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transload.catalog.difference import Difference, Published, compare, images_directly_under
from transload.errors import TransloadError
from transload.threads import Cancellation, in_parallel

if TYPE_CHECKING:
    from transload.catalog.catalog import Catalog
    from transload.catalog.release import Release
    from transload.ports import Source

_THREADS = 8


def ask_published(source: Source, prefix: str, cancellation: Cancellation) -> Published:
    """The tags of every repository exactly one segment under `prefix`; None if the registry does not list them.

    Raises `Refused` if the registry keeps no list of repositories.
    """
    start = f"{prefix}/" if prefix else ""
    paths = [start + name for name in images_directly_under(prefix, source.repositories())]

    def tags(path: str) -> frozenset[str] | None:
        try:
            return frozenset(source.tags(path))
        except TransloadError:  # MCR lists repositories, but refuses the tags of some
            return None

    return dict(zip(paths, in_parallel(tags, paths, _THREADS, cancellation), strict=True))


def difference_notes(catalog: Catalog, release: Release, difference: Difference) -> tuple[str, ...]:
    """Sentences about the difference for people; empty if there is none."""
    name = f"{catalog.name} {release.tag}"
    notes = []
    if difference.extra:
        notes.append(
            f"published as {name}, but not in the catalog: {', '.join(difference.extra)} (--discover takes them too)"
        )
    if difference.missing:
        absent = ", ".join(difference.missing)
        notes.append(f"in the catalog, but not published as {name}: {absent} (--allow-missing goes without them)")
    if difference.unclear:
        notes.append(f"the source does not list the tags of: {', '.join(difference.unclear)}")
    return tuple(notes)


def compare_with_source(
    catalog: Catalog, release: Release, source: Source, prefix: str, cancellation: Cancellation
) -> tuple[str, ...]:
    """Sentences on how the catalog's list differs from what is published, or on why that is unknown."""
    try:
        published = ask_published(source, prefix, cancellation)
    except TransloadError as error:
        return (f"the catalog's list was not compared with the source: {error}",)
    return difference_notes(catalog, release, compare(release, prefix, published))
