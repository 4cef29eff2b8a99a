"""Compares a release's list with what a registry really publishes under its tag.

The rule: an image belongs to a release if its repository is exactly one segment under the catalog's prefix and has the
release's tag. Deeper repositories are other channels (`arcdata/preview/…`), and repositories without the tag are from
earlier releases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from transload.catalog.release import Release
from transload.values import evolve, frozen

Published = Mapping[str, Collection[str] | None]
"""The tags of each repository, by its full path at the registry; None if the registry does not list them."""


@frozen
class Difference:
    """Image names, sorted. `missing`: listed, but the source does not have the tag. `extra`: has the tag, but is not
    listed. `unclear`: listed, but the source does not say which tags it has."""

    missing: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.unclear)


def images_directly_under(prefix: str, repositories: Iterable[str]) -> tuple[str, ...]:
    """Names of the repositories exactly one segment under `prefix`, sorted.

    >>> images_directly_under("arcdata", ["arcdata/arc-dns", "arcdata/preview/arc-dns", "azure/arcdata"])
    ('arc-dns',)
    """
    start = f"{prefix}/" if prefix else ""
    names = {path.removeprefix(start) for path in repositories if path.startswith(start)}
    return tuple(sorted(name for name in names if name and "/" not in name))


def compare(release: Release, prefix: str, published: Published) -> Difference:
    """The difference between the list of `release` and what is published under `prefix`."""
    start = f"{prefix}/" if prefix else ""
    carrying = set(_carrying(release.tag, prefix, published))
    unclear = {image for image in release.images if published.get(start + image, ()) is None}
    # Listed images may be deeper than one segment; they are asked for by name.
    deeper = {image for image in release.images if release.tag in (published.get(start + image) or ())}
    return Difference(
        missing=tuple(sorted(set(release.images) - carrying - deeper - unclear)),
        extra=tuple(sorted(carrying - set(release.images))),
        unclear=tuple(sorted(unclear)),
    )


def discovered(release: Release, prefix: str, published: Published) -> Release:
    """`release` with the images that the source really has. Where the source does not say, the list counts."""
    differences = compare(release, prefix, published)
    images = (set(release.images) - set(differences.missing)) | set(differences.extra)
    return evolve(release, images=tuple(sorted(images)), list_name="", basis="discovered")


def _carrying(tag: str, prefix: str, published: Published) -> Iterable[str]:
    start = f"{prefix}/" if prefix else ""
    for image in images_directly_under(prefix, published):
        if tag in (published[start + image] or ()):
            yield image
