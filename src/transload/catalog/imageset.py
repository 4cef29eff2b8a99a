"""Image sets: what one site wants, from catalogs and as single images (docs/formats/image-set.md)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from transload.catalog.selected import Selected, merge
from transload.catalog.words import NEWEST
from transload.documents.text import located
from transload.oci import Name, Reference
from transload.values import frozen

if TYPE_CHECKING:
    from transload.catalog.catalog import Catalog
    from transload.catalog.chartuse import ChartUse
    from transload.catalog.release import Release
    from transload.catalog.ruled import RuledImages, RuledPrefix


@frozen(kw_only=True)
class CatalogUse:
    """A catalog, and which part of it is wanted.

    `releases` are releases, `newest`, or ranges `FROM..TO`; `images` keeps only these, `registry` and `repository`
    replace the vendor's, `target` is a prefix for this catalog alone. `where` is its position in the file, for errors.
    """

    catalog: Catalog
    releases: tuple[str, ...] = (NEWEST,)
    images: tuple[str, ...] = ()
    registry: str | None = None
    repository: str | None = None
    target: str = ""
    companions: bool = True
    where: str = ""

    @property
    def anchor(self) -> Reference:
        """The image whose tags say which releases the source has."""
        repository = self.catalog.anchor_repository(self.repository)
        return Reference(self.registry or self.catalog.registry, Name(repository))

    def select(self, tags: Iterable[str] | None = None) -> tuple[Selected, ...]:
        """The wanted images. `tags` (of `anchor` at the source) adds releases that the catalog does not know.

        An image that only some of the releases have is taken from those. Raises `ReleaseUnknown`, `ImageUnknown`,
        `UsageError`.
        """
        tags = None if tags is None else list(tags)
        with located(self.where or self.catalog.name, self.catalog.name):
            releases = [release for text in self.releases for release in self.catalog.releases_in(text, tags)]
            self.catalog.check_images(self.images, releases)
        return merge(selected for release in dict.fromkeys(releases) for selected in self.images_of(release))

    def images_of(self, release: Release) -> tuple[Selected, ...]:
        """The wanted images of one release."""
        chosen = self.catalog.select(
            release, registry=self.registry, repository=self.repository, companions=self.companions
        )
        return tuple(
            selected.under(self.target) for selected in chosen if not self.images or selected.repository in self.images
        )


@frozen
class ImageSet:
    """Single images, repositories and prefixes of which rules choose the tags, catalogs, and Helm charts.

    `notes` say what its file asks for and a run does not do, each a sentence; every run with the set shows them. The
    file format is docs/formats/image-set.md.
    """

    name: str
    images: tuple[Selected, ...] = ()
    catalogs: tuple[CatalogUse, ...] = ()
    notes: tuple[str, ...] = ()
    ruled: tuple[RuledImages, ...] = ()
    prefixes: tuple[RuledPrefix, ...] = ()
    charts: tuple[ChartUse, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it names nothing at all."""
        return not any((self.images, self.catalogs, self.ruled, self.prefixes, self.charts))

    def with_others(self, others: Iterable[ImageSet]) -> ImageSet:
        """This set, and before it what `others` want. Raises `TargetConflict`."""
        sets = (*others, self)
        return ImageSet(
            self.name,
            merge(image for part in sets for image in part.images),
            catalogs=tuple(use for part in sets for use in part.catalogs),
            notes=tuple(note for part in sets for note in part.notes),
            ruled=tuple(images for part in sets for images in part.ruled),
            prefixes=tuple(prefix for part in sets for prefix in part.prefixes),
            charts=tuple(chart for part in sets for chart in part.charts),
        )

    def select(self, tags: Mapping[str, Iterable[str]] | None = None) -> tuple[Selected, ...]:
        """All wanted images but those of `ruled`, `prefixes` and `charts`, of which only the source knows.

        `tags` maps `str(use.anchor)`, or a catalog's name, to the tags that the source has.

        Raises `ReleaseUnknown`, `ImageUnknown`, `TargetConflict`.
        """
        tags_of = tags or {}
        of_catalogs = (
            selected
            for use in self.catalogs
            for selected in use.select(tags_of.get(str(use.anchor), tags_of.get(use.catalog.name)))
        )
        return merge([*self.images, *of_catalogs])
