"""Looks at a target for the images of releases, and at their sources where that decides."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from transload.app.asked import Asked, Place
from transload.catalog.offer import Holding, holding_of, labelled
from transload.catalog.selected import Selected, join
from transload.errors import TransloadError
from transload.oci import Name
from transload.values import frozen

Images = Mapping[str, Selected]
"""The images of one release that count, by the names that people read."""


@frozen(kw_only=True)
class Look:
    """One look at the store `locator`, in which images are below `prefix`. `source` without stores is not asked."""

    locator: str
    prefix: str
    source: Asked
    target: Asked

    @property
    def troubles(self) -> dict[str, TransloadError]:
        """The errors of what could not be asked, by store and name."""
        return {**self.source.troubles, **self.target.troubles}

    def holdings(
        self, releases: Sequence[Sequence[Selected]], guesses: Sequence[bool], *, digests: bool
    ) -> list[Holding]:
        """What the target has of each release. `guesses`: whether a release's list of images is a guess.

        Raises the target's first error if it said nothing at all.
        """
        optional = [image for images in releases for image in images if image.optional]
        published = self._tagged_at_source(optional)
        wanted: list[Images] = [
            labelled(image for image in images if published.get(image, not image.optional)) for images in releases
        ]
        held = self._held(image for images in wanted for image in images.values())
        wanted = self._without_unpublished(wanted, guesses, held)
        holdings = [holding_of({label: held[image] for label, image in images.items()}) for images in wanted]
        return self._compared(holdings, wanted) if digests else holdings

    def _without_unpublished(
        self, releases: Sequence[Images], guesses: Sequence[bool], held: Mapping[Selected, bool | None]
    ) -> list[Images]:
        """The releases without images that are neither at the target nor at the source, where the list is a guess.

        Asked only where a part of a release is there: else nothing depends on it.
        """
        partly = [
            images if guess and any(held[image] for image in images.values()) else {}
            for images, guess in zip(releases, guesses, strict=True)
        ]
        absent = [image for images in partly for image in images.values() if held[image] is False]
        published = self._tagged_at_source(absent)
        unpublished = {image for image, tagged in published.items() if tagged is False}
        return [{label: image for label, image in images.items() if image not in unpublished} for images in releases]

    def _compared(self, holdings: Sequence[Holding], releases: Sequence[Images]) -> list[Holding]:
        there = [[images[label] for label in holding.there] for holding, images in zip(holdings, releases, strict=True)]
        same = self._same(image for images in there for image in images)
        return [
            holding.compared({label: same[images[label]] for label in holding.there})
            for holding, images in zip(holdings, releases, strict=True)
        ]

    # --- what is asked

    def _tagged_at_source(self, images: Iterable[Selected]) -> dict[Selected, bool | None]:
        """For each image whether the source has its tag; a digest is taken for there. Empty if it is not asked."""
        if not self.source.stores:
            return {}
        images = list(images)
        tagged = self.source.tagged(_at_source(image) for image in images if not image.source.name.digest)
        return {image: True if image.source.name.digest else tagged[_at_source(image)] for image in images}

    def _held(self, images: Iterable[Selected]) -> dict[Selected, bool | None]:
        """For each image whether the target has its name, None where it did not say."""
        places = {image: self._at_target(image) for image in images}
        tagged = self.target.tagged(place for place in places.values() if place[1].tag)
        digests = self.target.digests(place for place in places.values() if not place[1].tag)
        by_digest = {place: digest is not None for place, digest in digests.items()}
        held = {image: (tagged if image.tag else by_digest).get(place) for image, place in places.items()}
        if held and all(answer is None for answer in held.values()):
            raise next(iter(self.target.troubles.values()))
        return held

    def _same(self, images: Iterable[Selected]) -> dict[Selected, bool | None]:
        """For each image whether the target has what the source has; None if one of them did not say.

        An image that the source lacks has nothing to differ from. A digest in the reference is not asked for.
        """
        images = list(images)
        published = self.source.digests(_at_source(image) for image in images if not image.source.name.digest)
        held = self.target.digests(self._at_target(image) for image in images if image.tag)
        same: dict[Selected, bool | None] = {}
        for image in images:
            source, target = _at_source(image), self._at_target(image)
            wanted = image.source.name.digest or published.get(source)
            known = (image.source.name.digest or source in published) and (not image.tag or target in held)
            same[image] = (wanted is None or not image.tag or held[target] == wanted) if known else None
        return same

    def _at_target(self, image: Selected) -> Place:
        digest = None if image.tag else image.source.name.digest
        return self.locator, Name(join(self.prefix, image.repository), image.tag, digest)


def _at_source(image: Selected) -> Place:
    return image.source.registry, image.source.name
